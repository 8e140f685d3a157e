#include "sched/sched.h"

#include <stdlib.h>

#include "base/mem.h"
#include "sched/sched_inner.h"

#define LOADS_MAX 500 /* envelopes being loaded at a time */

struct sched *sched_new(const struct sched_options *o)
{
	struct sched *s = mem_zero(1, sizeof *s);

	for (int c = 0; c < SCHED_CHANNELS; c++)
		s->held_back[c] = UINT32_MAX;
	s->o = *o;
	s->msgs = IDTABLE_INIT(struct msg);
	s->jobs = POOL_INIT(struct job);
	return s;
}

size_t sched_messages(const struct sched *s)
{
	return s->msgs.n;
}

uint32_t sched_running(const struct sched *s, int channel)
{
	return s->running[channel];
}

uint32_t sched_limit(const struct sched *s, int channel)
{
	return s->o.concurrency[channel];
}

void sched_set_limit(struct sched *s, int channel, uint32_t limit)
{
	s->o.concurrency[channel] = limit;
	dests_settle(s);
}

void sched_hold_back(struct sched *s, int channel, uint32_t most)
{
	s->held_back[channel] = most;
}

void sched_set_lifetime(struct sched *s, int64_t lifetime)
{
	s->o.lifetime = lifetime;
}

/* ---- messages by number ------------------------------------------------------ */

struct msg *sched_find(const struct sched *s, uint64_t id)
{
	return idtable_find(&s->msgs, id);
}

void sched_each(const struct sched *s, void (*f)(void *ctx, struct msg *m), void *ctx)
{
	for (size_t i = 0; i < s->msgs.nslots; i++) {
		struct msg *m = idtable_at(&s->msgs, i);

		if (m)
			f(ctx, m);
	}
}

struct msg *sched_add(struct sched *s, uint64_t id, int64_t birth)
{
	struct msg *m = idtable_new(&s->msgs);

	m->id = id;
	m->birth = birth;
	idtable_add(&s->msgs, m);
	return m;
}

/* ---- jobs -------------------------------------------------------------------------- */

int sched_channel(const struct job *j)
{
	return j->dest->channel;
}

const uint32_t *job_recipients(const struct job *j)
{
	return j->nrecipients > 1 ? j->recipients.many : &j->recipients.one.index;
}

static struct job *new_job(struct sched *s, struct msg *m)
{
	struct job *j = pool_new(&s->jobs);

	j->msg = m;
	j->next_of_msg = m->last_job ? m->last_job->next_of_msg : j;
	if (m->last_job)
		m->last_job->next_of_msg = j;
	m->last_job = j;
	m->njobs++;
	return j;
}

static void drop_recipients(struct job *j)
{
	if (j->nrecipients > 1)
		free(j->recipients.many);
	j->nrecipients = 0;
}

static void set_recipients(struct job *j, const uint32_t *recipients, uint32_t n)
{
	uint32_t prefix = job_prefix(j);

	drop_recipients(j);
	if (n > 1) {
		j->recipients.many = mem_array(NULL, n, sizeof *recipients);
		memcpy(j->recipients.many, recipients, n * sizeof *recipients);
	} else {
		j->recipients.one.index = recipients[0];
		j->recipients.one.prefix = prefix;
	}
	j->nrecipients = (uint8_t)n; /* at most SCHED_BATCH_MAX */
}

/* Jobs end in their order, more or less: the search begins with the oldest. */
static void unlink_job(struct job *j)
{
	struct msg *m = j->msg;
	struct job *before = m->last_job;

	while (before->next_of_msg != j)
		before = before->next_of_msg;
	before->next_of_msg = j->next_of_msg;
	if (m->last_job == j)
		m->last_job = before == j ? NULL : before;
	m->njobs--;
}

/* It is in no heap. */
static void free_job(struct sched *s, struct job *j)
{
	struct sched_dest *d = j->dest;

	unlink_job(j);
	drop_recipients(j);
	pool_drop(&s->jobs, j);
	if (d) {
		d->users--;
		dest_settle(s, d);
	}
}

static struct dueheap *heap_of(struct sched *s, const struct job *j)
{
	return j->dest ? &j->dest->waiting : &s->unrouted;
}

static void wait_until(struct sched *s, struct job *j, int64_t due)
{
	j->due.at = j->msg->held ? INT64_MAX : due;
	dueheap_add(heap_of(s, j), &j->due);
	if (j->dest)
		dest_settle(s, j->dest);
}

void sched_add_unrouted(struct sched *s, struct msg *m, int64_t due)
{
	wait_until(s, new_job(s, m), due);
}

struct job *sched_add_job(struct sched *s, struct msg *m, int channel, struct str key, const uint32_t *recipients,
			  uint32_t n)
{
	struct job *j = new_job(s, m);

	j->dest = dest_for(s, channel, key);
	j->dest->users++;
	set_recipients(j, recipients, n);
	j->asked = m->asked;
	/* The oldest first; and a clock that was set back makes nobody wait. */
	wait_until(s, j, m->birth < s->now ? m->birth : s->now);
	return j;
}

void heap_run_all(struct dueheap *h, int64_t now)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->nodes[i]->at > now && !job_of(h->nodes[i])->msg->held)
			h->nodes[i]->at = now;
	dueheap_order(h);
}

static struct job *next_load(struct sched *s)
{
	struct due *first = dueheap_first(&s->unrouted);
	struct job *j;

	if (first == NULL || first->at > s->now || s->loading >= LOADS_MAX)
		return NULL;
	dueheap_take(&s->unrouted, first);
	s->loading++;
	j = job_of(first);
	j->running = true;
	return j;
}

struct job *sched_next(struct sched *s, int64_t now)
{
	struct job *j;

	s->now = now;
	dests_wake(s);
	if ((j = next_load(s)) != NULL)
		return j;
	for (int c = 0; c < SCHED_CHANNELS; c++)
		if ((j = dests_next(s, c)) != NULL)
			return j;
	return NULL;
}

struct str sched_words(const struct job *j)
{
	return str_of(j->dest->words);
}

static void stop_running(struct sched *s, struct job *j)
{
	j->running = false;
	if (j->dest == NULL)
		s->loading--;
	else
		dest_stopped(s, j->dest, j);
}

void sched_loaded(struct sched *s, struct job *j)
{
	stop_running(s, j);
	j->msg->asked = j->asked;
	free_job(s, j);
}

/* By the time at which the attempt began; by its end if it took that long. */
static int64_t next_attempt(const struct job *j, int64_t now)
{
	const struct policy *p = dest_policy(j->dest);
	int64_t due = policy_next_attempt(p, j->msg->birth, j->due.at, j->dest->channel);

	return due > now ? due : policy_next_attempt(p, j->msg->birth, now, j->dest->channel);
}

int64_t sched_finish(struct sched *s, struct job *j, const uint32_t *open, uint32_t n, int64_t now)
{
	int64_t due;

	s->now = now;
	stop_running(s, j);
	if (n == 0) {
		free_job(s, j);
		return 0;
	}
	set_recipients(j, open, n);
	due = j->asked ? now : next_attempt(j, now);
	if (j->asked)
		dest_probe_soon(j->dest);
	wait_until(s, j, due);
	return due;
}

int64_t sched_put_off(struct sched *s, struct job *j)
{
	int64_t due = policy_next_attempt(dest_policy(j->dest), j->msg->birth, s->now, j->dest->channel);

	sched_put_back(s, j, due);
	return due;
}

void sched_put_back(struct sched *s, struct job *j, int64_t due)
{
	stop_running(s, j);
	wait_until(s, j, due);
}

int64_t sched_message_due(const struct msg *m)
{
	int64_t due = INT64_MAX;

	for (const struct job *j = msg_first_job(m); j; j = msg_next_job(j)) {
		if (j->running)
			return 0;
		if (j->due.at < due)
			due = j->due.at;
	}
	return m->njobs ? due : 0;
}

int64_t sched_message_notice(const struct msg *m, int64_t general)
{
	int64_t shortest = INT64_MAX;

	for (const struct job *j = msg_first_job(m); j; j = msg_next_job(j)) {
		int64_t own = j->dest ? dest_policy(j->dest)->notice : 0;

		if (own == 0)
			own = general;
		if (own < shortest)
			shortest = own;
	}
	return m->njobs ? shortest : general;
}

bool sched_drop_jobs(struct sched *s, struct msg *m)
{
	struct job *next;

	for (struct job *j = msg_first_job(m); j; j = next) {
		next = msg_next_job(j);
		if (j->running)
			continue;
		dueheap_take(heap_of(s, j), &j->due);
		free_job(s, j);
	}
	return m->njobs == 0;
}

/* Gives every job that is not running another time, even if its destination is down; one that runs has it when it ends.
 */
static void wait_again(struct sched *s, struct msg *m, int64_t due, bool asked)
{
	for (struct job *j = msg_first_job(m); j; j = msg_next_job(j)) {
		j->asked = asked;
		if (j->running)
			continue;
		dueheap_take(heap_of(s, j), &j->due);
		if (asked && j->dest)
			dest_probe_soon(j->dest);
		wait_until(s, j, due);
	}
}

void sched_hold(struct sched *s, struct msg *m)
{
	m->held = true;
	wait_again(s, m, INT64_MAX, false);
}

void sched_release(struct sched *s, struct msg *m, int64_t now)
{
	m->held = false;
	wait_again(s, m, now, true);
}

void sched_retry(struct sched *s, struct msg *m, int64_t now)
{
	if (!m->held)
		wait_again(s, m, now, true);
}

void sched_remove(struct sched *s, struct msg *m)
{
	if (!sched_drop_jobs(s, m))
		abort(); /* the caller's promise */
	idtable_remove(&s->msgs, m);
}

void sched_free(struct sched *s, void (*free_envelope)(void *))
{
	dests_free(s);
	for (size_t i = 0; i < s->msgs.nslots; i++) {
		struct msg *m = idtable_at(&s->msgs, i);

		if (m && m->envelope)
			free_envelope(m->envelope);
		for (struct job *j = m ? msg_first_job(m) : NULL; j; j = msg_next_job(j))
			drop_recipients(j);
	}
	dueheap_free(&s->unrouted);
	pool_free(&s->jobs);
	idtable_free(&s->msgs);
	free(s);
}

void sched_run_all(struct sched *s, int64_t now)
{
	s->now = now;
	heap_run_all(&s->unrouted, now);
	dests_run_all(s);
}

int64_t sched_wake(const struct sched *s)
{
	const struct due *dest = dueheap_first(&s->dests_due), *load = dueheap_first(&s->unrouted);
	int64_t wake = dest ? dest->at : INT64_MAX;

	return load && s->loading < LOADS_MAX && load->at < wake ? load->at : wake;
}
