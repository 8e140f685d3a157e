/*
 * arrivals: do messages arrive in a flood? Pure; times are monotonic
 * milliseconds.
 */
#ifndef SCHED_ARRIVALS_H
#define SCHED_ARRIVALS_H

#include <stdbool.h>
#include <stdint.h>

#define ARRIVALS_MS 50    /* so long is counted */
#define ARRIVALS_FLOOD 10 /* so many in that time are a flood */

struct arrivals {
	int64_t since;  /* when counting began */
	unsigned count; /* messages since then; the caller counts */
	bool flood;     /* what the last full time said */
};

/* Looks at the clock; true: `flood` has been judged anew, and counting begins again. */
bool arrivals_look(struct arrivals *a, int64_t now);

#endif
