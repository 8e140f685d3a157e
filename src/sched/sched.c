#include "sched/sched.h"

#include <stdlib.h>

#include "base/mem.h"

#define LOADS_MAX 500 /* envelopes being loaded at a time */

struct sched_dest {
	struct sched_dest *next_in_table;
	struct sched_dest *next_turn, *prev_turn; /* in the ring of its channel, while it has ready jobs */
	struct job *first, **last;
	uint32_t running;
	uint32_t users; /* jobs that point here */
	uint8_t channel;
	bool in_ring;
	size_t key_length;
	char key[];
};

struct sched {
	struct sched_options o;
	struct msg **slots; /* messages by number */
	size_t nslots, nmsgs;
	struct job **heap;
	size_t nheap, heap_room;
	struct sched_dest **dests; /* by key */
	size_t ndests, dest_slots;
	struct sched_dest *ring[SCHED_CHANNELS]; /* whose turn it is */
	uint32_t running[SCHED_CHANNELS];
	uint32_t loading;
	struct job *unloaded, **unloaded_last; /* due, and their envelope is wanted */
};

struct sched *sched_new(const struct sched_options *o)
{
	struct sched *s = mem_zero(1, sizeof *s);

	s->o = *o;
	s->unloaded_last = &s->unloaded;
	return s;
}

size_t sched_messages(const struct sched *s)
{
	return s->nmsgs;
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
}

/* ---- messages by number ------------------------------------------------------ */

static size_t slot_of(const struct sched *s, uint64_t id)
{
	return (size_t)hash_u64(id) & (s->nslots - 1);
}

static void put_msg(struct sched *s, struct msg *m)
{
	size_t i = slot_of(s, m->id);

	while (s->slots[i])
		i = (i + 1) & (s->nslots - 1);
	s->slots[i] = m;
}

struct msg *sched_find(const struct sched *s, uint64_t id)
{
	if (s->nslots == 0)
		return NULL;
	for (size_t i = slot_of(s, id); s->slots[i]; i = (i + 1) & (s->nslots - 1))
		if (s->slots[i]->id == id)
			return s->slots[i];
	return NULL;
}

struct msg *sched_add(struct sched *s, uint64_t id, int64_t birth)
{
	struct msg *m = mem_zero(1, sizeof *m);

	m->id = id;
	m->birth = birth;
	if (s->nmsgs * 4 >= s->nslots * 3) {
		struct msg **old = s->slots;
		size_t n = s->nslots;

		s->nslots = n ? 2 * n : 256;
		s->slots = mem_zero(s->nslots, sizeof *s->slots);
		for (size_t i = 0; i < n; i++)
			if (old[i])
				put_msg(s, old[i]);
		free(old);
	}
	put_msg(s, m);
	s->nmsgs++;
	return m;
}

static void take_msg(struct sched *s, struct msg *m)
{
	size_t i = slot_of(s, m->id), mask = s->nslots - 1;

	while (s->slots[i] != m)
		i = (i + 1) & mask;
	for (size_t k = (i + 1) & mask; s->slots[k]; k = (k + 1) & mask) {
		size_t h = slot_of(s, s->slots[k]->id);

		if (((k - h) & mask) >= ((k - i) & mask)) {
			s->slots[i] = s->slots[k];
			i = k;
		}
	}
	s->slots[i] = NULL;
	s->nmsgs--;
}

/* ---- the heap of what waits for its time ------------------------------------- */

static void heap_set(struct sched *s, size_t i, struct job *j)
{
	s->heap[i] = j;
	j->heap_at = i;
}

static void heap_up(struct sched *s, size_t i)
{
	struct job *j = s->heap[i];

	for (; i && s->heap[(i - 1) / 2]->due > j->due; i = (i - 1) / 2)
		heap_set(s, i, s->heap[(i - 1) / 2]);
	heap_set(s, i, j);
}

static void heap_down(struct sched *s, size_t i)
{
	struct job *j = s->heap[i];

	for (;;) {
		size_t k = 2 * i + 1;

		if (k + 1 < s->nheap && s->heap[k + 1]->due < s->heap[k]->due)
			k++;
		if (k >= s->nheap || s->heap[k]->due >= j->due)
			break;
		heap_set(s, i, s->heap[k]);
		i = k;
	}
	heap_set(s, i, j);
}

static void wait_until(struct sched *s, struct job *j, int64_t due)
{
	if (s->nheap == s->heap_room) {
		s->heap_room = s->heap_room ? 2 * s->heap_room : 256;
		s->heap = mem_array(s->heap, s->heap_room, sizeof *s->heap);
	}
	j->state = JOB_WAITING;
	j->due = j->msg->held ? INT64_MAX : due;
	s->heap[s->nheap] = j;
	heap_up(s, s->nheap++);
}

static void heap_take(struct sched *s, struct job *j)
{
	size_t i = j->heap_at;
	struct job *last = s->heap[--s->nheap];

	if (last == j)
		return;
	heap_set(s, i, last);
	heap_up(s, i);
	heap_down(s, last->heap_at);
}

/* ---- destinations ---------------------------------------------------------------- */

int sched_channel(const struct job *j)
{
	return j->dest->channel;
}

static struct sched_dest **dest_bucket(struct sched *s, struct str key)
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

/* Keys are compared as given: callers lower the case where that is right. */
static struct sched_dest *dest_for(struct sched *s, int channel, struct str key)
{
	struct sched_dest **b, *d;

	if (s->ndests >= s->dest_slots)
		grow_dests(s);
	b = dest_bucket(s, key);
	for (d = *b; d; d = d->next_in_table)
		if (d->channel == channel && str_eq((struct str){ d->key, d->key_length }, key))
			return d;
	d = mem_zero(1, sizeof *d + key.n);
	if (key.n)
		memcpy(d->key, key.p, key.n);
	d->key_length = key.n;
	d->channel = (uint8_t)channel;
	d->last = &d->first;
	d->next_in_table = *b;
	*b = d;
	s->ndests++;
	return d;
}

static void dest_release(struct sched *s, struct sched_dest *d)
{
	struct sched_dest **p;

	if (--d->users)
		return;
	for (p = dest_bucket(s, (struct str){ d->key, d->key_length }); *p != d; p = &(*p)->next_in_table)
		;
	*p = d->next_in_table;
	s->ndests--;
	free(d);
}

static void ring_enter(struct sched *s, struct sched_dest *d)
{
	struct sched_dest *head = s->ring[d->channel];

	if (d->in_ring)
		return;
	d->in_ring = true;
	if (head == NULL) {
		d->next_turn = d->prev_turn = d;
		s->ring[d->channel] = d;
		return;
	}
	/* Behind everybody who is already waiting for a turn. */
	d->next_turn = head;
	d->prev_turn = head->prev_turn;
	head->prev_turn->next_turn = d;
	head->prev_turn = d;
}

static void ring_leave(struct sched *s, struct sched_dest *d)
{
	if (!d->in_ring)
		return;
	d->in_ring = false;
	if (d->next_turn == d) {
		s->ring[d->channel] = NULL;
		return;
	}
	d->prev_turn->next_turn = d->next_turn;
	d->next_turn->prev_turn = d->prev_turn;
	if (s->ring[d->channel] == d)
		s->ring[d->channel] = d->next_turn;
}

static void make_ready(struct sched *s, struct job *j)
{
	struct sched_dest *d = j->dest;

	if (j->msg->held) {
		wait_until(s, j, INT64_MAX);
		return;
	}
	j->state = JOB_READY;
	j->next_ready = NULL;
	if (d == NULL) {
		*s->unloaded_last = j;
		s->unloaded_last = &j->next_ready;
		return;
	}
	*d->last = j;
	d->last = &j->next_ready;
	ring_enter(s, d);
}

/* ---- jobs -------------------------------------------------------------------------- */

static struct job *new_job(struct msg *m)
{
	struct job *j = mem_zero(1, sizeof *j);

	j->msg = m;
	j->next_of_msg = m->jobs;
	if (m->jobs)
		m->jobs->prev_of_msg = j;
	m->jobs = j;
	m->njobs++;
	return j;
}

static void set_recipients(struct job *j, const uint32_t *recipients, uint32_t n)
{
	uint32_t *copy = n > 1 ? mem_array(NULL, n, sizeof *copy) : &j->one;

	memcpy(copy, recipients, n * sizeof *copy);
	if (j->recipients != &j->one)
		free(j->recipients);
	j->recipients = copy;
	j->nrecipients = n;
}

static void free_job(struct sched *s, struct job *j)
{
	if (j->prev_of_msg)
		j->prev_of_msg->next_of_msg = j->next_of_msg;
	else
		j->msg->jobs = j->next_of_msg;
	if (j->next_of_msg)
		j->next_of_msg->prev_of_msg = j->prev_of_msg;
	j->msg->njobs--;
	if (j->dest)
		dest_release(s, j->dest);
	if (j->recipients != &j->one)
		free(j->recipients);
	free(j);
}

void sched_add_unrouted(struct sched *s, struct msg *m, int64_t due)
{
	wait_until(s, new_job(m), due);
}

struct job *sched_add_job(struct sched *s, struct msg *m, int channel, struct str key, const uint32_t *recipients,
			  uint32_t n)
{
	struct job *j = new_job(m);

	j->dest = dest_for(s, channel, key);
	j->dest->users++;
	set_recipients(j, recipients, n);
	make_ready(s, j);
	return j;
}

/*
 * No destination may fill a channel alone: a fifth of the slots (of five or
 * more) is kept for the others, whether they have work at the moment or not.
 */
static uint32_t dest_limit(const struct sched *s, int channel)
{
	uint32_t n = s->o.concurrency[channel];

	return n < 5 ? n : n - n / 5;
}

static void wake_due(struct sched *s, int64_t now)
{
	while (s->nheap && s->heap[0]->due <= now) {
		struct job *j = s->heap[0];

		heap_take(s, j);
		make_ready(s, j);
	}
}

static struct job *next_load(struct sched *s)
{
	struct job *j = s->unloaded;

	if (j == NULL || s->loading >= LOADS_MAX)
		return NULL;
	s->unloaded = j->next_ready;
	if (s->unloaded == NULL)
		s->unloaded_last = &s->unloaded;
	s->loading++;
	j->state = JOB_RUNNING;
	return j;
}

static struct job *next_of_channel(struct sched *s, int channel)
{
	struct sched_dest *d = s->ring[channel], *start = d;
	struct job *j;

	if (d == NULL || s->running[channel] >= s->o.concurrency[channel])
		return NULL;
	while (d->running >= dest_limit(s, channel)) {
		d = d->next_turn;
		if (d == start)
			return NULL;
	}
	j = d->first;
	d->first = j->next_ready;
	if (d->first == NULL)
		d->last = &d->first;
	d->running++;
	s->running[channel]++;
	s->ring[channel] = d->next_turn;
	if (d->first == NULL)
		ring_leave(s, d);
	j->state = JOB_RUNNING;
	return j;
}

struct job *sched_next(struct sched *s, int64_t now)
{
	struct job *j;

	wake_due(s, now);
	if ((j = next_load(s)) != NULL)
		return j;
	for (int c = 0; c < SCHED_CHANNELS; c++)
		if ((j = next_of_channel(s, c)) != NULL) {
			j->dying = now > j->msg->birth + s->o.lifetime;
			return j;
		}
	return NULL;
}

static void stop_running(struct sched *s, struct job *j)
{
	if (j->dest == NULL) {
		s->loading--;
		return;
	}
	j->dest->running--;
	s->running[j->dest->channel]--;
}

void sched_loaded(struct sched *s, struct job *j)
{
	stop_running(s, j);
	free_job(s, j);
}

int64_t sched_finish(struct sched *s, struct job *j, const uint32_t *open, uint32_t n, int64_t now)
{
	int64_t due;

	stop_running(s, j);
	if (n == 0) {
		free_job(s, j);
		return 0;
	}
	set_recipients(j, open, n);
	due = sched_next_attempt(j->msg->birth, now, j->dest->channel);
	wait_until(s, j, due);
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

	for (const struct job *j = m->jobs; j; j = j->next_of_msg) {
		if (j->state != JOB_WAITING)
			return 0;
		if (j->due < due)
			due = j->due;
	}
	return m->njobs ? due : 0;
}

/* Takes a ready job out of its queue. */
static void unqueue(struct sched *s, struct job *j)
{
	struct job **p = j->dest ? &j->dest->first : &s->unloaded;
	struct job ***last = j->dest ? &j->dest->last : &s->unloaded_last;

	while (*p != j)
		p = &(*p)->next_ready;
	*p = j->next_ready;
	if (*p == NULL)
		*last = p;
	if (j->dest && j->dest->first == NULL)
		ring_leave(s, j->dest);
}

bool sched_drop_jobs(struct sched *s, struct msg *m)
{
	struct job *next;

	for (struct job *j = m->jobs; j; j = next) {
		next = j->next_of_msg;
		if (j->state == JOB_RUNNING)
			continue;
		if (j->state == JOB_WAITING)
			heap_take(s, j);
		else
			unqueue(s, j);
		free_job(s, j);
	}
	return m->njobs == 0;
}

/* Gives every job that is not running another time. */
static void wait_again(struct sched *s, struct msg *m, int64_t due)
{
	for (struct job *j = m->jobs; j; j = j->next_of_msg) {
		if (j->state == JOB_RUNNING)
			continue;
		if (j->state == JOB_WAITING)
			heap_take(s, j);
		else
			unqueue(s, j);
		wait_until(s, j, due);
	}
}

void sched_hold(struct sched *s, struct msg *m)
{
	m->held = true;
	wait_again(s, m, INT64_MAX);
}

void sched_release(struct sched *s, struct msg *m, int64_t now)
{
	m->held = false;
	wait_again(s, m, now);
}

void sched_retry(struct sched *s, struct msg *m, int64_t now)
{
	if (!m->held)
		wait_again(s, m, now);
}

void sched_remove(struct sched *s, struct msg *m)
{
	if (!sched_drop_jobs(s, m))
		abort(); /* the caller's promise */
	take_msg(s, m);
	free(m);
}

void sched_free(struct sched *s, void (*free_envelope)(void *))
{
	for (size_t i = 0; i < s->nslots; i++) {
		struct msg *m = s->slots[i];

		if (m == NULL)
			continue;
		if (m->envelope)
			free_envelope(m->envelope);
		while (m->jobs)
			free_job(s, m->jobs);
		free(m);
	}
	free(s->slots);
	free(s->heap);
	free(s->dests);
	free(s);
}

void sched_run_all(struct sched *s, int64_t now)
{
	/* What is held keeps its place: there is nothing that is later. */
	for (size_t i = 0; i < s->nheap; i++)
		if (!s->heap[i]->msg->held)
			s->heap[i]->due = now;
	for (size_t i = s->nheap / 2; i-- > 0;)
		heap_down(s, i);
}

int64_t sched_wake(const struct sched *s)
{
	return s->nheap ? s->heap[0]->due : INT64_MAX;
}

static int64_t isqrt(int64_t n)
{
	int64_t root = 0;

	for (int64_t bit = (int64_t)1 << 31; bit; bit >>= 1)
		if ((root | bit) <= n / (root | bit))
			root |= bit;
	return root;
}

int64_t sched_next_attempt(int64_t birth, int64_t now, int channel)
{
	int64_t age = now > birth ? now - birth : 0;
	int64_t n = isqrt(age) + (channel == SCHED_LOCAL ? 10 : 20);

	return birth + n * n;
}
