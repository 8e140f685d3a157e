/*
 * sched_inner: what the parts of the scheduler share: messages and jobs
 * (sched.c), destinations (sched_dest.c), whose turn it is (sched_turn.c),
 * what attempts say of a destination (sched_outcome.c), and destinations with
 * the same servers (sched_provider.c).
 */
#ifndef SCHED_SCHED_INNER_H
#define SCHED_SCHED_INNER_H

#include "base/idtable.h"
#include "sched/sched.h"

#define SCHED_PROVIDER_BUCKETS 4096

enum dest_place { PLACE_NONE, PLACE_RING, PLACE_UNKNOWN, PLACE_DUE, PLACE_PROVIDER };

struct sched_provider {
	struct sched_provider *next;
	struct policy policy;
	struct sched_dest *blocked; /* ring of destinations that wait for one of its slots */
	int64_t rate_us;            /* when the next delivery would start at an even pace */
	uint32_t running;
	uint32_t users; /* destinations */
	char *name;
};

struct sched_dest {
	struct sched_dest *next_in_table;
	struct due due;                           /* PLACE_DUE */
	struct sched_dest *next_turn, *prev_turn; /* PLACE_RING, PLACE_PROVIDER */
	struct dueheap waiting;                   /* its jobs that do not run */
	struct policy *policy;                    /* owned; NULL: nothing is set */
	struct sched_provider *provider;
	struct job *probe; /* the one attempt while it is down */
	char *words;       /* owned; what the last attempt said, while it is down */
	int64_t probe_at;  /* not before */
	int64_t rate_us;   /* as a provider's */
	uint32_t running;
	uint32_t users; /* jobs that point here */
	uint32_t window;
	uint32_t ignore;   /* results still to come of what was running when the window shrank */
	uint32_t failures; /* in a row; SCHED_DOWN_AFTER: it is down */
	uint32_t gap;      /* between probes */
	uint32_t verdicts;
	uint8_t channel;
	uint8_t place;    /* enum dest_place */
	bool unknown;     /* it did not answer last time, or was never asked */
	bool asking;      /* its provider is not known yet */
	bool once_more;   /* an operator wants another probe behind the one that runs */
	bool next_afresh; /* and whoever is next, where it is not down */
	size_t key_length;
	char key[];
};

struct sched {
	struct sched_options o;
	int64_t now; /* the latest that we were told */
	struct idtable msgs;
	struct pool jobs;
	struct dueheap unrouted; /* jobs without a destination */
	uint32_t loading;
	struct sched_dest **dests; /* by key */
	size_t ndests, dest_slots;
	struct dueheap dests_due;
	struct sched_dest *ring[SCHED_CHANNELS];         /* whose turn it is, of those that answered last time */
	struct sched_dest *unknown_ring[SCHED_CHANNELS]; /* of the others */
	bool unknown_turn[SCHED_CHANNELS];               /* the next turn is theirs, if both have somebody */
	uint32_t unknown_running[SCHED_CHANNELS];
	uint32_t running[SCHED_CHANNELS];
	uint32_t held_back[SCHED_CHANNELS];                       /* at most so many run, for the moment */
	struct sched_provider *providers[SCHED_PROVIDER_BUCKETS]; /* by name */
};

/* The job whose first member it is; jobs are aligned. */
static inline struct job *job_of(const struct due *d)
{
	const void *job = d;

	return (struct job *)(uintptr_t)job;
}

static inline bool dest_is_down(const struct sched_dest *d)
{
	return d->failures >= SCHED_DOWN_AFTER;
}

/* ---- sched.c ---- */

/* Every job in it that is not held is due. */
void heap_run_all(struct dueheap *h, int64_t now);

/* ---- sched_dest.c ---- */

/* Keys are compared as given: callers lower the case where that is right. The caller counts itself among the users. */
struct sched_dest *dest_for(struct sched *s, int channel, struct str key);

/* The destination, if there is one. */
struct sched_dest *dest_find(const struct sched *s, int channel, struct str key);

/* It waits nowhere and has no jobs. */
void dest_free(struct sched *s, struct sched_dest *d);
void dests_free(struct sched *s);

const struct policy *dest_policy(const struct sched_dest *d);

/* After a limit has changed: where they wait. */
void dests_settle(struct sched *s);

/* ---- sched_turn.c ---- */

/* How much of a channel one destination may fill. */
uint32_t sched_share(const struct sched *s, int channel);

/* Puts it where it belongs now; who stays where he is keeps his turn. `turn`: it need not wait behind others of its
 * provider. */
void dest_put(struct sched *s, struct sched_dest *d, bool turn);

/* It waits nowhere. */
void dest_leave(struct sched *s, struct sched_dest *d);

/* After any change: where the destination waits, if it does. It may be gone afterwards. */
void dest_settle(struct sched *s, struct sched_dest *d);

/* The next destination that waits for a slot of the provider (or NULL) gets its turn. */
void provider_wake(struct sched *s, const struct sched_provider *p);

/* Those whose time has come join the ring of their channel. */
void dests_wake(struct sched *s);

/* The channel's next job, taken out of its destination's heap and running. */
struct job *dests_next(struct sched *s, int channel);

/* A job of it has ended. */
void dest_stopped(struct sched *s, struct sched_dest *d, struct job *j);

/* ---- sched_outcome.c ---- */

/* An operator thinks that it may answer again: the next probe need not wait. */
void dest_probe_soon(struct sched_dest *d);

/* The same everywhere, and no probe has to wait. */
void dests_run_all(struct sched *s);

/* ---- sched_provider.c ---- */

/* NULL: it has none, or none any more. A provider without destinations goes. */
void dest_set_provider(struct sched *s, struct sched_dest *d, struct sched_provider *p);

#endif
