/*
 * queuefilter: which messages of a queue are meant.
 *
 * A message is meant when everything that is set applies. Patterns are shell
 * patterns (*, ?, []) for the whole address, without regard to case; one that
 * begins with @ is for the domain alone. Recipients, destinations and reasons
 * are looked for among what is not done.
 */
#ifndef QUEUEQUERY_QUEUEFILTER_H
#define QUEUEQUERY_QUEUEFILTER_H

#include "queuequery/queuemessage.h"
#include "route/route.h"

enum queue_state {
	QUEUE_STATE_NEW = 1,      /* not tried yet, or being tried */
	QUEUE_STATE_DEFERRED = 2, /* waits for its next attempt */
	QUEUE_STATE_HELD = 4,
	QUEUE_STATE_FAILED = 8, /* some recipients have failed; the bounce waits for the others */
	QUEUE_STATE_LOCAL = 16, /* has open local recipients */
	QUEUE_STATE_REMOTE = 32
};

struct queue_filter {
	const char *sender, *recipient, *destination; /* patterns, or NULL */
	const char *reason;                           /* a part of the last answer, or NULL */
	const char *trace;                            /* the trace id, or NULL */
	int64_t older, younger;                       /* seconds; 0: not asked for */
	uint64_t larger, smaller;                     /* bytes; 0: not asked for */
	unsigned states;                              /* all of these apply; 0: any */
};

/* Is anything asked for at all? */
bool queue_filter_any(const struct queue_filter *f);
/* Does the filter look at answers? Ask for them then. */
bool queue_filter_needs_answers(const struct queue_filter *f);

/* routes: as control files are now; used for destinations and the local and remote states. */
bool queue_filter_matches(const struct queue_filter *f, const struct queue_message *m,
			  const struct route_tables *routes, int64_t now);

/* The states (of the first four) that m is in. */
unsigned queue_message_states(const struct queue_message *m, int64_t now);

/*
 * The destination of a recipient, as the scheduler queues it: the domain, or
 * for local ones the user. *out gets it; `deliver` the address as it is
 * delivered.
 */
enum route_channel queue_destination(const struct route_tables *routes, struct str address, struct buf *deliver,
				     struct str *out);

/* "90", "5m", "2h", "7d", "3w" as seconds; "10k", "5M", "1G" as bytes. False: neither. */
bool queue_filter_age(struct str s, int64_t *seconds);
bool queue_filter_size(struct str s, uint64_t *bytes);
/* "held" and so on; 0: no such word. */
unsigned queue_filter_state(const char *word);

#endif
