/*
 * policy: what may be set for one destination, and when its mail is tried
 * again. Pure.
 */
#ifndef SCHED_POLICY_H
#define SCHED_POLICY_H

#include "base/err.h"
#include "base/str.h"

enum { SCHED_LOCAL, SCHED_REMOTE, SCHED_CHANNELS };

#define POLICY_WAITS_MAX 16 /* in one retry= */

/* Zero everywhere: nothing is set. */
struct policy {
	uint32_t concurrency; /* deliveries at a time; 0: only the channel's limit */
	int64_t interval_us;  /* at least so long between the starts of two deliveries, on average; 0: any time */
	int64_t lifetime;     /* seconds that a message is tried; 0: the general one */
	int64_t notice;       /* seconds after which a sender is told of a delay; 0: the general time */
	uint32_t nwaits;      /* 0: qmail's schedule */
	bool has_retry;       /* retry= is set, if only to qmail's schedule */
	uint32_t waits[POLICY_WAITS_MAX]; /* seconds; the last one repeats */
};

/*
 * Words separated by blanks: concurrency=N, rate=N/s (m, h, d), lifetime=TIME,
 * notice=TIME, retry=TIME,TIME... or retry=qmail. A TIME is a number of seconds, or has m, h, d
 * or w behind it. What p has already stays. False: a word that makes no sense, and e says which; p is as before.
 */
bool policy_add(struct policy *p, struct str words, struct err *e);

/* When a message born at `birth` is tried after an attempt that began at `now`. */
int64_t policy_next_attempt(const struct policy *p, int64_t birth, int64_t now, int channel);

/* birth + (isqrt(age) + c)², c by channel: the contract's schedule. */
int64_t sched_next_attempt(int64_t birth, int64_t now, int channel);

#endif
