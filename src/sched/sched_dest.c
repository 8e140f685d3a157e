#include "sched/sched_inner.h"

#include <stdlib.h>

#include "base/mem.h"

static struct sched_dest **dest_bucket(const struct sched *s, struct str key)
{
	return &s->dests[hash_str(s->o.key, key) & (s->dest_slots - 1)];
}

static void grow_dests(struct sched *s)
{
	struct sched_dest **old = s->dests, *d, *next;
	size_t n = s->dest_slots;

	s->dest_slots = n ? 2 * n : 64;
	s->dests = mem_zero(s->dest_slots, sizeof(struct sched_dest *));
	for (size_t i = 0; i < n; i++)
		for (d = old[i]; d; d = next) {
			struct sched_dest **b = dest_bucket(s, (struct str){ d->key, d->key_length });

			next = d->next_in_table;
			d->next_in_table = *b;
			*b = d;
		}
	free(old);
}

struct sched_dest *dest_find(const struct sched *s, int channel, struct str key)
{
	struct sched_dest *d = s->dest_slots ? *dest_bucket(s, key) : NULL;

	while (d && (d->channel != channel || !str_eq((struct str){ d->key, d->key_length }, key)))
		d = d->next_in_table;
	return d;
}

const struct policy *dest_policy(const struct sched_dest *d)
{
	static const struct policy nothing;

	return d->policy ? d->policy : &nothing;
}

static void ask_policy(struct sched *s, struct sched_dest *d)
{
	struct policy p = { 0 };

	free(d->policy);
	d->policy = NULL;
	d->asking = s->o.policy && s->o.policy(s->o.ctx, d->channel, (struct str){ d->key, d->key_length }, &p);
	if (!d->asking)
		dest_set_provider(s, d, NULL);
	if (!p.concurrency && !p.interval_us && !p.lifetime && !p.notice && !p.nwaits && !p.has_retry)
		return;
	d->policy = mem_alloc(sizeof p);
	*d->policy = p;
}

static bool older(const struct due *a, const struct due *b)
{
	return job_of(a)->msg->id < job_of(b)->msg->id;
}

struct sched_dest *dest_for(struct sched *s, int channel, struct str key)
{
	struct sched_dest *d = dest_find(s, channel, key), **b;

	if (d)
		return d;
	if (s->ndests >= s->dest_slots)
		grow_dests(s);
	b = dest_bucket(s, key);
	d = mem_zero(1, sizeof *d + key.n);
	if (key.n)
		memcpy(d->key, key.p, key.n);
	d->key_length = key.n;
	d->channel = (uint8_t)channel;
	d->window = channel == SCHED_REMOTE ? SCHED_FIRST_WINDOW : UINT32_MAX;
	d->unknown = channel == SCHED_REMOTE;
	d->waiting.before = older;
	d->next_in_table = *b;
	*b = d;
	s->ndests++;
	ask_policy(s, d);
	return d;
}

void dest_free(struct sched *s, struct sched_dest *d)
{
	struct sched_dest **p = dest_bucket(s, (struct str){ d->key, d->key_length });

	while (*p != d)
		p = &(*p)->next_in_table;
	*p = d->next_in_table;
	s->ndests--;
	dest_set_provider(s, d, NULL);
	dueheap_free(&d->waiting);
	free(d->policy);
	free(d->words);
	free(d);
}

/* For each destination there is; f may settle it, and those without jobs keep their place. */
static void settle_all(struct sched *s, void (*f)(struct sched *, struct sched_dest *))
{
	for (size_t i = 0; i < s->dest_slots; i++)
		for (struct sched_dest *d = s->dests[i], *next; d; d = next) {
			next = d->next_in_table;
			f(s, d);
			if (d->users)
				dest_settle(s, d);
		}
}

static void do_nothing(struct sched *s, struct sched_dest *d)
{
	(void)s, (void)d;
}

void dests_settle(struct sched *s)
{
	settle_all(s, do_nothing);
}

static void stop_asking(struct sched *s, struct sched_dest *d)
{
	(void)s;
	d->asking = false;
}

void sched_no_providers(struct sched *s)
{
	settle_all(s, stop_asking);
}

void sched_new_policies(struct sched *s)
{
	settle_all(s, ask_policy);
}

void dests_free(struct sched *s)
{
	for (size_t i = 0; i < s->dest_slots; i++)
		while (s->dests[i])
			dest_free(s, s->dests[i]);
	dueheap_free(&s->dests_due);
	free(s->dests);
}
