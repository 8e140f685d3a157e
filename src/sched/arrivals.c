#include "sched/arrivals.h"

bool arrivals_look(struct arrivals *a, int64_t now)
{
	if (now < a->since + ARRIVALS_MS)
		return false;
	/* Those of a longer time may have come together, just now: what follows will tell. */
	a->flood = a->count >= ARRIVALS_FLOOD;
	a->since = now;
	a->count = 0;
	return true;
}
