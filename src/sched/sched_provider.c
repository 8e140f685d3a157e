#include "sched/sched_inner.h"

#include <stdlib.h>

#include "base/mem.h"

static struct sched_provider **provider_bucket(struct sched *s, struct str name)
{
	return &s->providers[hash_str(s->o.key, name) % SCHED_PROVIDER_BUCKETS];
}

static struct sched_provider *provider_for(struct sched *s, struct str name)
{
	struct sched_provider *p, **b = provider_bucket(s, name);

	if (name.n == 0)
		return NULL;
	for (p = *b; p; p = p->next)
		if (str_eq(str_of(p->name), name))
			return p;
	p = mem_zero(1, sizeof *p);
	p->name = mem_copy(name);
	p->next = *b;
	*b = p;
	return p;
}

static void free_provider(struct sched *s, struct sched_provider *p)
{
	struct sched_provider **at = provider_bucket(s, str_of(p->name));

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	free(p->name);
	free(p);
}

void dest_set_provider(struct sched *s, struct sched_dest *d, struct sched_provider *p)
{
	struct sched_provider *old = d->provider;

	if (p == old)
		return;
	if (d->place == PLACE_PROVIDER)
		dest_leave(s, d);
	d->provider = p;
	if (p) {
		p->users++;
		p->running += d->running;
	}
	if (old) {
		old->running -= d->running;
		provider_wake(s, old);
		if (--old->users == 0)
			free_provider(s, old);
	}
}

void sched_provider(struct sched *s, struct str key, struct str name, const struct policy *policy)
{
	struct sched_dest *d = dest_find(s, SCHED_REMOTE, key);
	struct sched_provider *p;

	if (d == NULL)
		return;
	p = provider_for(s, name);
	if (p)
		p->policy = *policy;
	dest_set_provider(s, d, p);
	d->asking = false;
	if (d->users)
		dest_settle(s, d);
}
