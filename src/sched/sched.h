/*
 * sched: what is delivered when. No I/O and no clock: callers pass the time
 * (seconds since 1970), so that months of retries run in a test.
 *
 * A message is divided into jobs: the recipients of one message at one
 * destination (for remote mail the domain, for local mail the user). Jobs
 * wait for their time, then in the queue of their destination. Destinations
 * that have something to do take turns, and none may take all slots of its
 * channel, so that a slow or dead destination with a hundred thousand
 * messages delays nobody else.
 *
 * A message that is not due costs a struct msg and a struct job: its envelope
 * is loaded again when its time comes.
 */
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H

#include "base/hash.h"
#include "base/str.h"

enum { SCHED_LOCAL, SCHED_REMOTE, SCHED_CHANNELS };

#define SCHED_BATCH_MAX 100 /* recipients in one job */

struct sched;
struct sched_dest;

enum job_state {
	JOB_WAITING, /* for its time */
	JOB_READY,   /* in its destination's queue */
	JOB_RUNNING, /* being delivered, or its envelope is being loaded */
};

struct job {
	struct msg *msg;
	struct sched_dest *dest; /* NULL: the message's envelope is not loaded and its jobs are unknown */
	struct job *next_of_msg, *prev_of_msg;
	struct job *next_ready;
	const char *prefix; /* the caller's; NULL at first */
	int64_t due;
	size_t heap_at; /* while waiting */
	uint32_t nrecipients;
	uint32_t *recipients; /* indexes into the envelope; owned; points to `one` when there is just one */
	uint32_t one;
	uint8_t state; /* enum job_state */
	bool dying;    /* its message is older than the lifetime: this is the last attempt */
};

struct msg {
	uint64_t id;
	int64_t birth;
	struct job *jobs;
	uint32_t njobs;
	bool failed;    /* has a failed recipient: a bounce is due at the end */
	bool announced; /* "new msg" is in the log */
	bool held;      /* nothing of it is started; set by sched_hold */
	/* The caller's: */
	bool removed;   /* it has ended, but something of it still runs */
	bool giving_up; /* what is not delivered by what runs has failed */
	void *envelope; /* NULL when not loaded */
};

struct sched_options {
	uint32_t concurrency[SCHED_CHANNELS];
	int64_t lifetime; /* seconds */
	struct hash_key key;
};

struct sched *sched_new(const struct sched_options *o);
/* free_envelope is called for every envelope left. */
void sched_free(struct sched *s, void (*free_envelope)(void *));

size_t sched_messages(const struct sched *s);
uint32_t sched_running(const struct sched *s, int channel);
uint32_t sched_limit(const struct sched *s, int channel);
void sched_set_limit(struct sched *s, int channel, uint32_t limit);

struct msg *sched_find(const struct sched *s, uint64_t id);

/* A new message without jobs; it must not exist yet. */
struct msg *sched_add(struct sched *s, uint64_t id, int64_t birth);
/* The channel of a job that has a destination. */
int sched_channel(const struct job *j);
/* The message's jobs are unknown until its envelope is loaded, which is wanted at `due`. */
void sched_add_unrouted(struct sched *s, struct msg *m, int64_t due);
/*
 * The recipients (indexes, copied) at one destination, to be tried at once.
 * key names the destination within its channel.
 */
struct job *sched_add_job(struct sched *s, struct msg *m, int channel, struct str key, const uint32_t *recipients,
			  uint32_t n);

/*
 * The next thing to do at `now`, or NULL. The job is running from now on and
 * takes a slot of its channel; for one without a destination the caller loads
 * the envelope and calls sched_loaded, then adds the message's jobs. A stopped
 * channel (limit 0) starts nothing. dying is set by the rule of the contract
 * (§8.3).
 */
struct job *sched_next(struct sched *s, int64_t now);

/* The envelope of an unrouted message came: its placeholder job goes away. */
void sched_loaded(struct sched *s, struct job *j);

/*
 * A running job is over. open/n: the recipients still to be delivered; with
 * n > 0 the job waits for its next time (returned), else it goes away and 0 is
 * returned. The message stays until sched_remove.
 */
int64_t sched_finish(struct sched *s, struct job *j, const uint32_t *open, uint32_t n, int64_t now);

/* As sched_finish with everything still open, but due at `due` and not counted as an attempt. */
void sched_put_back(struct sched *s, struct job *j, int64_t due);

/* Earliest time at which any job of the message is due; 0 if one is ready or running. */
int64_t sched_message_due(const struct msg *m);

/* Forgets a message and its jobs (none may be running). */
void sched_remove(struct sched *s, struct msg *m);

/*
 * Operators' wishes for one message. sched_hold: nothing of it is started any more; sched_release: no longer so, and
 * what waits is due at `now`; sched_retry: what waits is due at `now`, unless it is held. sched_drop_jobs: forgets all
 * jobs that do not run; false when one runs.
 */
void sched_hold(struct sched *s, struct msg *m);
void sched_release(struct sched *s, struct msg *m, int64_t now);
void sched_retry(struct sched *s, struct msg *m, int64_t now);
bool sched_drop_jobs(struct sched *s, struct msg *m);

/* Everything that waits and is not held is due now (SIGALRM). */
void sched_run_all(struct sched *s, int64_t now);

/* When sched_next has something again, if nothing else happens; INT64_MAX for never. */
int64_t sched_wake(const struct sched *s);

/* birth + (isqrt(age) + c)², c by channel: the contract's schedule. */
int64_t sched_next_attempt(int64_t birth, int64_t now, int channel);

#endif
