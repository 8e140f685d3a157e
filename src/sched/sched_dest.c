#include "sched/sched_inner.h"

#include <stdlib.h>

#include "base/mem.h"

#define SECOND_US 1000000

/* ---- the table ------------------------------------------------------------------- */

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

static struct sched_dest *find_dest(const struct sched *s, int channel, struct str key)
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

static void set_provider(struct sched *s, struct sched_dest *d, struct sched_provider *p);

static void ask_policy(struct sched *s, struct sched_dest *d)
{
	struct policy p = { 0 };

	free(d->policy);
	d->policy = NULL;
	d->asking = s->o.policy && s->o.policy(s->o.ctx, d->channel, (struct str){ d->key, d->key_length }, &p);
	if (!d->asking)
		set_provider(s, d, NULL);
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
	struct sched_dest *d = find_dest(s, channel, key), **b;

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

static void free_dest(struct sched *s, struct sched_dest *d)
{
	struct sched_dest **p = dest_bucket(s, (struct str){ d->key, d->key_length });

	while (*p != d)
		p = &(*p)->next_in_table;
	*p = d->next_in_table;
	s->ndests--;
	set_provider(s, d, NULL);
	dueheap_free(&d->waiting);
	free(d->policy);
	free(d->words);
	free(d);
}

/* ---- rings ------------------------------------------------------------------------ */

/* Behind everybody who is already waiting for a turn. */
static void ring_enter(struct sched_dest **ring, struct sched_dest *d)
{
	struct sched_dest *head = *ring;

	if (head == NULL) {
		d->next_turn = d->prev_turn = d;
		*ring = d;
		return;
	}
	d->next_turn = head;
	d->prev_turn = head->prev_turn;
	head->prev_turn->next_turn = d;
	head->prev_turn = d;
}

static void ring_leave(struct sched_dest **ring, struct sched_dest *d)
{
	if (d->next_turn == d) {
		*ring = NULL;
		return;
	}
	d->prev_turn->next_turn = d->next_turn;
	d->next_turn->prev_turn = d->prev_turn;
	if (*ring == d)
		*ring = d->next_turn;
}

static bool in_ring(int place)
{
	return place == PLACE_RING || place == PLACE_UNKNOWN;
}

static struct sched_dest **ring_of(struct sched *s, const struct sched_dest *d, int place)
{
	if (place == PLACE_PROVIDER)
		return &d->provider->blocked;
	return place == PLACE_UNKNOWN ? &s->unknown_ring[d->channel] : &s->ring[d->channel];
}

static void leave(struct sched *s, struct sched_dest *d)
{
	if (d->place == PLACE_DUE)
		dueheap_take(&s->dests_due, &d->due);
	else if (d->place != PLACE_NONE)
		ring_leave(ring_of(s, d, d->place), d);
	d->place = PLACE_NONE;
}

static void enter_due(struct sched *s, struct sched_dest *d, int64_t at)
{
	d->place = PLACE_DUE;
	d->due.at = at;
	dueheap_add(&s->dests_due, &d->due);
}

/* ---- limits ----------------------------------------------------------------------- */

/*
 * No destination may fill a channel alone: a fifth of the slots (of five or
 * more) is kept for the others, whether they have work at the moment or not.
 */
static uint32_t share(const struct sched *s, int channel)
{
	uint32_t n = s->o.concurrency[channel];

	return n < 5 ? n : n - n / 5;
}

static uint32_t limit(const struct sched *s, const struct sched_dest *d)
{
	uint32_t n = share(s, d->channel), own = dest_policy(d)->concurrency;

	if (own && own < n)
		n = own;
	return d->window < n ? d->window : n;
}

static bool is_down(const struct sched_dest *d)
{
	return d->failures >= SCHED_DOWN_AFTER;
}

static bool provider_full(const struct sched_provider *p)
{
	return p && p->policy.concurrency && p->running >= p->policy.concurrency;
}

/*
 * When the next delivery may start, in seconds. Within one second, which is all that our clock knows, as many may
 * start as an even pace has in it.
 */
static int64_t rate_ready(int64_t rate_us, int64_t interval_us)
{
	int64_t slack = interval_us < SECOND_US ? SECOND_US - interval_us : 0;

	if (interval_us == 0 || rate_us <= slack)
		return 0;
	return (rate_us - slack + SECOND_US - 1) / SECOND_US;
}

static int64_t dest_rate_ready(const struct sched_dest *d)
{
	int64_t own = rate_ready(d->rate_us, dest_policy(d)->interval_us);
	int64_t shared = d->provider ? rate_ready(d->provider->rate_us, d->provider->policy.interval_us) : 0;

	return own > shared ? own : shared;
}

static void rate_count(int64_t *rate_us, int64_t interval_us, int64_t now)
{
	if (*rate_us < now * SECOND_US)
		*rate_us = now * SECOND_US;
	*rate_us += interval_us;
}

/* ---- where a destination waits ---------------------------------------------------- */

/* What is known of a destination is not forgotten at once. */
static bool worth_keeping(const struct sched *s, const struct sched_dest *d)
{
	if (s->ndests > 100000)
		return false;
	return d->channel == SCHED_REMOTE || dest_rate_ready(d) > s->now;
}

static void settle_unused(struct sched *s, struct sched_dest *d)
{
	int64_t ready = dest_rate_ready(d);

	if (!worth_keeping(s, d))
		free_dest(s, d);
	else
		enter_due(s, d, ready > s->now + SCHED_REMEMBERED ? ready : s->now + SCHED_REMEMBERED);
}

/* Where it belongs, and for PLACE_DUE until when. `turn`: it need not wait behind others of its provider. */
static enum dest_place find_place(const struct sched *s, const struct sched_dest *d, bool turn, int64_t *at)
{
	const struct due *first = dueheap_first(&d->waiting);
	const struct sched_provider *p = d->provider;

	if (first == NULL || d->asking || d->probe || d->running >= limit(s, d))
		return PLACE_NONE;
	*at = dest_rate_ready(d);
	if (first->at > *at)
		*at = first->at;
	if (*at > s->now)
		return PLACE_DUE;
	if (provider_full(p) || (p && p->blocked && !turn && !in_ring(d->place)))
		return PLACE_PROVIDER;
	return d->unknown ? PLACE_UNKNOWN : PLACE_RING;
}

/* Who stays where he is keeps his turn. */
static void place(struct sched *s, struct sched_dest *d, bool turn)
{
	int64_t at = 0;
	enum dest_place to = find_place(s, d, turn, &at);

	if (to == d->place && to != PLACE_DUE)
		return;
	leave(s, d);
	if (to == PLACE_DUE)
		enter_due(s, d, at);
	else if (to != PLACE_NONE)
		ring_enter(ring_of(s, d, to), d);
	d->place = (uint8_t)to;
}

/* The next destination that waits for a slot of the provider gets its turn. */
static void wake_blocked(struct sched *s, const struct sched_provider *p)
{
	while (p && p->blocked && !provider_full(p)) {
		struct sched_dest *d = p->blocked;

		place(s, d, true);
		if (in_ring(d->place))
			return;
	}
}

void dest_settle(struct sched *s, struct sched_dest *d)
{
	place(s, d, false);
	wake_blocked(s, d->provider);
	if (d->users == 0)
		settle_unused(s, d);
}

void dests_wake(struct sched *s)
{
	struct due *first;

	while ((first = dueheap_first(&s->dests_due)) != NULL && first->at <= s->now) {
		struct sched_dest *d = (void *)((char *)first - offsetof(struct sched_dest, due));

		if (d->users) {
			place(s, d, false);
			continue;
		}
		leave(s, d);
		free_dest(s, d);
	}
}

/* ---- starting ---------------------------------------------------------------------- */

static struct job *first_job(const struct sched_dest *d)
{
	return job_of(dueheap_first(&d->waiting));
}

static int64_t lifetime_of(const struct sched *s, const struct sched_dest *d)
{
	return dest_policy(d)->lifetime ? dest_policy(d)->lifetime : s->o.lifetime;
}

/* A probe would be too early: this one gets the verdict, or is put off without a word. */
static void judge(struct sched_dest *d, struct job *j)
{
	bool counts = j->tried && !j->dying;

	j->quiet = counts && d->verdicts >= SCHED_VERDICTS;
	d->verdicts += counts && !j->quiet;
}

static void start_job(struct sched *s, struct sched_dest *d, struct job *j)
{
	dueheap_take(&d->waiting, &j->due);
	j->running = j->tried = true;
	j->down = j->verdict;
	d->running++;
	s->running[d->channel]++;
	j->unknown = d->unknown;
	j->afresh = !j->verdict && (is_down(d) || j->asked || d->next_afresh);
	j->asked = false;
	s->unknown_running[d->channel] += j->unknown;
	if (d->provider)
		d->provider->running++;
	if (j->verdict)
		return;
	d->next_afresh = false;
	if (is_down(d))
		d->probe = j;
	rate_count(&d->rate_us, dest_policy(d)->interval_us, s->now);
	if (d->provider)
		rate_count(&d->provider->rate_us, d->provider->policy.interval_us, s->now);
}

/*
 * Whose turn it is. Those that are not known to answer have their turn every second time, and cannot fill the
 * channel: however many hang, those that answer have slots.
 */
static struct sched_dest *next_dest(struct sched *s, int channel)
{
	struct sched_dest *known = s->ring[channel], *unknown = s->unknown_ring[channel];

	if (s->running[channel] >= s->o.concurrency[channel])
		return NULL;
	if (s->unknown_running[channel] >= share(s, channel))
		unknown = NULL;
	if (known && unknown)
		return s->unknown_turn[channel] ? unknown : known;
	return known ? known : unknown;
}

struct job *dests_next(struct sched *s, int channel)
{
	struct sched_dest *d;

	while ((d = next_dest(s, channel)) != NULL) {
		struct job *j = first_job(d);

		/* Others of its provider may have started since it came here, and clocks are set back. */
		if (provider_full(d->provider) || dest_rate_ready(d) > s->now || j->due.at > s->now) {
			place(s, d, false);
			continue;
		}
		j->dying = s->now > j->msg->birth + lifetime_of(s, d);
		j->verdict = is_down(d) && s->now < d->probe_at;
		j->quiet = false;
		if (j->verdict)
			judge(d, j);
		start_job(s, d, j);
		s->unknown_turn[channel] = d->place == PLACE_RING;
		*ring_of(s, d, d->place) = d->next_turn;
		dest_settle(s, d);
		return j;
	}
	return NULL;
}

void dest_stopped(struct sched *s, struct sched_dest *d, struct job *j)
{
	d->running--;
	s->running[d->channel]--;
	s->unknown_running[d->channel] -= j->unknown;
	if (d->provider)
		d->provider->running--;
	if (d->ignore)
		d->ignore--;
	if (d->probe == j)
		d->probe = NULL;
}

/* ---- what attempts say about a destination ------------------------------------------ */

/* It answers again: all that waited for that are due, the oldest first. */
static void came_up(struct sched *s, struct sched_dest *d)
{
	d->window = SCHED_FIRST_WINDOW;
	d->once_more = false;
	free(d->words);
	d->words = NULL;
	for (size_t i = 0; i < d->waiting.n; i++) {
		struct job *j = job_of(d->waiting.nodes[i]);

		if (j->down && !j->msg->held)
			j->due.at = j->msg->birth < s->now ? j->msg->birth : s->now;
	}
	dueheap_order(&d->waiting);
}

static void unreachable(struct sched *s, struct sched_dest *d, const struct job *j, struct str words)
{
	uint32_t most = dest_policy(d)->nwaits ? dest_policy(d)->waits[0] : SCHED_PROBE_SECONDS;
	bool was_down = is_down(d);

	/* What was under way when it went down says nothing new. */
	if (was_down && d->probe != j)
		return;
	if (!was_down && ++d->failures < SCHED_DOWN_AFTER)
		return;
	d->gap = was_down ? 2 * d->gap : 1;
	if (d->gap > most)
		d->gap = most;
	d->probe_at = d->once_more ? s->now : s->now + d->gap;
	d->once_more = false;
	d->window = SCHED_FIRST_WINDOW;
	d->verdicts = 0;
	free(d->words);
	d->words = mem_copy(words);
}

static void shrink(struct sched_dest *d)
{
	if (d->ignore)
		return;
	d->window = d->window > 1 ? d->window / 2 : 1;
	d->ignore = d->running;
}

void sched_outcome(struct sched *s, struct job *j, enum sched_outcome outcome, struct str words)
{
	struct sched_dest *d = j->dest;

	if (d->channel != SCHED_REMOTE)
		return;
	j->down = d->unknown = outcome == SCHED_UNREACHABLE;
	if (outcome >= SCHED_BUSY)
		shrink(d);
	if (outcome == SCHED_UNREACHABLE) {
		unreachable(s, d, j, words);
		return;
	}
	if (is_down(d))
		came_up(s, d);
	d->failures = 0;
	if (outcome == SCHED_WORKED && d->window < share(s, d->channel))
		d->window++;
}

void dest_probe_soon(struct sched_dest *d)
{
	d->probe_at = 0;
	d->once_more = d->probe != NULL;
}

void dests_run_all(struct sched *s)
{
	for (size_t i = 0; i < s->dest_slots; i++)
		for (struct sched_dest *d = s->dests[i]; d; d = d->next_in_table) {
			heap_run_all(&d->waiting, s->now);
			dest_probe_soon(d);
			d->next_afresh = d->unknown;
			if (d->users)
				place(s, d, false);
		}
}

/* ---- policies and providers ------------------------------------------------------------ */

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

static void set_provider(struct sched *s, struct sched_dest *d, struct sched_provider *p)
{
	struct sched_provider *old = d->provider;

	if (p == old)
		return;
	if (d->place == PLACE_PROVIDER)
		leave(s, d);
	d->provider = p;
	if (p) {
		p->users++;
		p->running += d->running;
	}
	if (old) {
		old->running -= d->running;
		wake_blocked(s, old);
		if (--old->users == 0)
			free_provider(s, old);
	}
}

void sched_provider(struct sched *s, struct str key, struct str name, const struct policy *policy)
{
	struct sched_dest *d = find_dest(s, SCHED_REMOTE, key);
	struct sched_provider *p;

	if (d == NULL)
		return;
	p = provider_for(s, name);
	if (p)
		p->policy = *policy;
	set_provider(s, d, p);
	d->asking = false;
	if (d->users)
		dest_settle(s, d);
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
			free_dest(s, s->dests[i]);
	dueheap_free(&s->dests_due);
	free(s->dests);
}
