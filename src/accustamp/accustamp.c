/*
 * accustamp: puts the time at which it began to arrive in front of each line,
 * in seconds and microseconds since 1970 (contract-companions §2.1).
 */
#include <inttypes.h>

#include "linelog/linefilter.h"
#include "sys/clock.h"

static void stamp(void *ctx, struct buf *out, struct str piece, bool first)
{
	int64_t us;

	(void)ctx;
	if (first) {
		us = clock_wall_us();
		buf_addf(out, "%" PRId64 ".%06d ", us / 1000000, (int)(us % 1000000));
	}
	buf_add(out, piece);
}

int main(void)
{
	const struct linefilter filter = { .piece = stamp };

	return linefilter_run("accustamp", &filter);
}
