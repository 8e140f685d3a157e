/*
 * sched: what is delivered when. No I/O and no clock: callers pass the time
 * (seconds since 1970), so that months of retries run in a test.
 *
 * A message is divided into jobs: the recipients of one message at one
 * destination (for remote mail the domain, for local mail the user). Jobs
 * wait with their destination until they are due, oldest first. Destinations
 * that have something to do take turns, and none may take all slots of its
 * channel, so that a slow destination with a hundred thousand messages delays
 * nobody else. Nor may all destinations together that did not answer last time,
 * or were never asked.
 *
 * How many deliveries a remote destination gets at a time grows with success,
 * from SCHED_FIRST_WINDOW, and shrinks when the destination is busy. After
 * SCHED_DOWN_AFTER attempts in a row that reached nobody it is down: then one
 * attempt at a time, in growing intervals, finds out for all. A job that is
 * due meanwhile counts as tried: it gets the last attempt's verdict (see
 * sched_next), or is put off without a word where there are many of them. When
 * the destination answers again, all that waited for it are due.
 *
 * Destinations may have a policy of their own (sched/policy.h), and belong to a
 * provider whose policy all its destinations share.
 *
 * A message that is not due costs a struct msg and a struct job: its envelope
 * is loaded again when its time comes.
 */
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H

#include "base/hash.h"
#include "base/str.h"
#include "sched/dueheap.h"
#include "sched/policy.h"

#define SCHED_BATCH_MAX 100     /* recipients in one job */
#define SCHED_FIRST_WINDOW 5    /* deliveries at a time to a remote destination of which nothing is known */
#define SCHED_DOWN_AFTER 5      /* attempts in a row */
#define SCHED_VERDICTS 100      /* jobs that get the verdict of one attempt; first and last attempts do not count */
#define SCHED_PROBE_SECONDS 400 /* longest interval between the attempts with a destination that is down */
#define SCHED_REMEMBERED 60     /* seconds that a destination without mail is remembered */

struct sched;
struct sched_dest;

/* A million messages wait: what is in these two structures is counted in bytes. */
struct job {
	struct due due; /* while waiting; while running, when that began */
	uint8_t nrecipients;
	bool running : 1; /* being delivered, or its envelope is being loaded */
	bool dying : 1;   /* its message is older than the lifetime: this is the last attempt */
	bool verdict : 1; /* not to be tried: it gets the verdict that its destination is down */
	bool quiet : 1;   /* and that without a word: for sched_put_off */
	bool tried : 1;   /* at least once, by us or before the caller knew us */
	bool unknown : 1; /* while it runs: its destination was not known to answer */
	bool down : 1;    /* its last attempt says nothing but that the destination was down */
	bool asked : 1;   /* an operator wants its next attempt */
	bool afresh : 1;  /* while it runs: what is remembered of servers that did not answer is not to count */
	struct msg *msg;
	struct sched_dest *dest; /* NULL: the message's envelope is not loaded and its jobs are unknown */
	struct job *next_of_msg; /* a ring */
	union {
		struct {
			uint32_t index;
			uint32_t prefix; /* the caller's; 0 at first */
		} one;
		uint32_t *many; /* owned */
	} recipients;           /* indexes into the envelope; see job_recipients */
};

struct msg {
	uint64_t id;
	int64_t birth;
	struct job *last_job; /* the youngest; see msg_first_job */
	void *envelope;       /* NULL when not loaded */
	uint32_t njobs;
	bool failed : 1;    /* has a failed recipient: a bounce is due at the end */
	bool announced : 1; /* "new msg" is in the log */
	bool held : 1;      /* nothing of it is started; set by sched_hold */
	bool asked : 1;     /* an operator wanted it tried before its jobs were known */
	/* The caller's: */
	bool removed : 1;    /* it has ended, but something of it still runs */
	bool giving_up : 1;  /* what is not delivered by what runs has failed */
	bool known : 1;      /* what the journal has on the following was taken over */
	bool reportable : 1; /* the sender is to be told of a success */
	bool told_late : 1;  /* the sender knows that it is late */
	bool timed : 1;      /* the journal knows when it is due */
	bool untimed : 1;    /* it was told, but some of it was running then */
};

/* The jobs of a message, the oldest first: for (j = msg_first_job(m); j; j = msg_next_job(j)). */
static inline struct job *msg_first_job(const struct msg *m)
{
	return m->last_job ? m->last_job->next_of_msg : NULL;
}

static inline struct job *msg_next_job(const struct job *j)
{
	return j == j->msg->last_job ? NULL : j->next_of_msg;
}

struct sched_options {
	uint32_t concurrency[SCHED_CHANNELS];
	int64_t lifetime; /* seconds */
	struct hash_key key;
	/*
	 * Adds what is set for a new destination; NULL: nothing ever is. True: the caller will name its provider
	 * with sched_provider, and nothing is to be started before.
	 */
	bool (*policy)(void *ctx, int channel, struct str key, struct policy *p);
	void *ctx;
};

struct sched *sched_new(const struct sched_options *o);
/* free_envelope is called for every envelope left. */
void sched_free(struct sched *s, void (*free_envelope)(void *));

size_t sched_messages(const struct sched *s);
uint32_t sched_running(const struct sched *s, int channel);
uint32_t sched_limit(const struct sched *s, int channel);
void sched_set_limit(struct sched *s, int channel, uint32_t limit);

/*
 * For the moment no more than `most` of a channel start, whatever its limit
 * is; UINT32_MAX: no such moment. Costs nothing, unlike a new limit.
 */
void sched_hold_back(struct sched *s, int channel, uint32_t most);
/* Of messages whose destination has none of its own; seconds. */
void sched_set_lifetime(struct sched *s, int64_t lifetime);

struct msg *sched_find(const struct sched *s, uint64_t id);

/* In no order; f removes none. */
void sched_each(const struct sched *s, void (*f)(void *ctx, struct msg *m), void *ctx);
/* A new message without jobs; it must not exist yet. */
struct msg *sched_add(struct sched *s, uint64_t id, int64_t birth);
/* The channel of a job that has a destination. */
int sched_channel(const struct job *j);
const uint32_t *job_recipients(const struct job *j);
/* A word of the caller's for a job of one recipient; 0 for others. */
static inline uint32_t job_prefix(const struct job *j)
{
	return j->nrecipients == 1 ? j->recipients.one.prefix : 0;
}
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
 * takes a slot of its channel. For one without a destination the caller loads
 * the envelope and calls sched_loaded, then adds the message's jobs. One with
 * `verdict` is reported as deferred, with sched_words, and finished, or if it is
 * `quiet`, put off with sched_put_off. The others are delivered: sched_outcome, then sched_finish. A stopped channel
 * (limit 0) starts nothing. Attempts that have to find out whether a destination is still down are `afresh`, and
 * those that an operator asked for. dying is set by the rule of the contract (§8.3).
 */
struct job *sched_next(struct sched *s, int64_t now);

/* The words of the last attempt with a destination that is down; empty otherwise. */
struct str sched_words(const struct job *j);

/* The envelope of an unrouted message came: its placeholder job goes away. */
void sched_loaded(struct sched *s, struct job *j);

enum sched_outcome {
	SCHED_WORKED,      /* something was delivered */
	SCHED_ANSWERED,    /* somebody answered */
	SCHED_BUSY,        /* somebody answered, and would like less */
	SCHED_UNREACHABLE, /* nobody was reached: it says nothing about the message */
};

/* What an attempt with a remote destination says about the destination; words: the report, for SCHED_UNREACHABLE. */
void sched_outcome(struct sched *s, struct job *j, enum sched_outcome outcome, struct str words);

/*
 * A running job is over. open/n: the recipients still to be delivered; with
 * n > 0 the job waits for its next time (returned), else it goes away and 0 is
 * returned. The message stays until sched_remove.
 */
int64_t sched_finish(struct sched *s, struct job *j, const uint32_t *open, uint32_t n, int64_t now);

/* A job that is quiet waits for its next time, which is returned. */
int64_t sched_put_off(struct sched *s, struct job *j);

/* As sched_finish with everything still open, but due at `due` and not counted as an attempt. */
void sched_put_back(struct sched *s, struct job *j, int64_t due);

/* Earliest time at which any job of the message is due, which may be past; 0 if one is running. */
int64_t sched_message_due(const struct msg *m);
/* The shortest time after which the destinations that it waits for want a notice of delay; `general` for the others. */
int64_t sched_message_notice(const struct msg *m, int64_t general);

/* Forgets a message and its jobs (none may be running). */
void sched_remove(struct sched *s, struct msg *m);

/*
 * Operators' wishes for one message. sched_hold: nothing of it is started any more; sched_release: no longer so, and
 * what waits is due at `now`; sched_retry: what waits is due at `now`, unless it is held; destinations that are down
 * are tried, afresh, and once more where an attempt was under way; what runs is due again when it ends.
 * sched_drop_jobs: forgets all jobs that do not run; false when one runs.
 */
void sched_hold(struct sched *s, struct msg *m);
void sched_release(struct sched *s, struct msg *m, int64_t now);
void sched_retry(struct sched *s, struct msg *m, int64_t now);
bool sched_drop_jobs(struct sched *s, struct msg *m);

/* Everything that waits and is not held is due now, and destinations that are down are tried (SIGALRM). */
void sched_run_all(struct sched *s, int64_t now);

/* When sched_next has something again, if nothing else happens; INT64_MAX for never. */
int64_t sched_wake(const struct sched *s);

/* ---- policies ---- */

/* Policies may have changed: asks for them again. */
void sched_new_policies(struct sched *s);

/*
 * The remote destination `key` belongs to the provider `name` with this policy; an empty name: to none. Nothing
 * happens when it is not there any more.
 */
void sched_provider(struct sched *s, struct str key, struct str name, const struct policy *p);

/* No more calls of sched_provider will come for those that wait for it. */
void sched_no_providers(struct sched *s);

#endif
