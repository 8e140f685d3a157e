#include "sched/sched_inner.h"

#define SECOND_US 1000000

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

void dest_leave(struct sched *s, struct sched_dest *d)
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
uint32_t sched_share(const struct sched *s, int channel)
{
	uint32_t n = s->o.concurrency[channel];

	return n < 5 ? n : n - n / 5;
}

static uint32_t limit(const struct sched *s, const struct sched_dest *d)
{
	uint32_t n = sched_share(s, d->channel), own = dest_policy(d)->concurrency;

	if (own && own < n)
		n = own;
	return d->window < n ? d->window : n;
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
		dest_free(s, d);
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
void dest_put(struct sched *s, struct sched_dest *d, bool turn)
{
	int64_t at = 0;
	enum dest_place to = find_place(s, d, turn, &at);

	if (to == d->place && to != PLACE_DUE)
		return;
	dest_leave(s, d);
	if (to == PLACE_DUE)
		enter_due(s, d, at);
	else if (to != PLACE_NONE)
		ring_enter(ring_of(s, d, to), d);
	d->place = (uint8_t)to;
}

/* The next destination that waits for a slot of the provider gets its turn. */
void provider_wake(struct sched *s, const struct sched_provider *p)
{
	while (p && p->blocked && !provider_full(p)) {
		struct sched_dest *d = p->blocked;

		dest_put(s, d, true);
		if (in_ring(d->place))
			return;
	}
}

void dest_settle(struct sched *s, struct sched_dest *d)
{
	dest_put(s, d, false);
	provider_wake(s, d->provider);
	if (d->users == 0)
		settle_unused(s, d);
}

void dests_wake(struct sched *s)
{
	struct due *first;

	while ((first = dueheap_first(&s->dests_due)) != NULL && first->at <= s->now) {
		struct sched_dest *d = (void *)((char *)first - offsetof(struct sched_dest, due));

		if (d->users) {
			dest_put(s, d, false);
			continue;
		}
		dest_leave(s, d);
		dest_free(s, d);
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
	j->due.at = s->now;
	j->running = j->tried = true;
	j->down = j->verdict;
	d->running++;
	s->running[d->channel]++;
	j->unknown = d->unknown;
	j->afresh = !j->verdict && (dest_is_down(d) || j->asked || d->next_afresh);
	j->asked = false;
	s->unknown_running[d->channel] += j->unknown;
	if (d->provider)
		d->provider->running++;
	if (j->verdict)
		return;
	d->next_afresh = false;
	if (dest_is_down(d))
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

	if (s->running[channel] >= s->o.concurrency[channel] || s->running[channel] >= s->held_back[channel])
		return NULL;
	if (s->unknown_running[channel] >= sched_share(s, channel))
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
			dest_put(s, d, false);
			continue;
		}
		j->dying = s->now > j->msg->birth + lifetime_of(s, d);
		j->verdict = dest_is_down(d) && s->now < d->probe_at;
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
