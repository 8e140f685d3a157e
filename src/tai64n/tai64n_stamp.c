/*
 * tai64n: puts the time at which it began to arrive in front of each line, as
 * a TAI64N label (contract-companions §2.4).
 */
#include "base/tai64n.h"
#include "linelog/linefilter.h"
#include "sys/clock.h"

static void stamp(void *ctx, struct buf *out, struct str piece, bool first)
{
	char label[TAI64N_LABEL];

	(void)ctx;
	if (first) {
		tai64n_label(label, tai64n_from_unix_ns(clock_wall_ns()));
		buf_add(out, (struct str){ label, sizeof label });
		buf_addc(out, ' ');
	}
	buf_add(out, piece);
}

int main(void)
{
	const struct linefilter filter = { .piece = stamp };

	return linefilter_run("tai64n", &filter);
}
