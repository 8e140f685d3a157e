/*
 * preline_head: the three lines that stand before a message in an mbox, from
 * the environment of a delivery.
 */
#ifndef FILTER_PRELINE_HEAD_H
#define FILTER_PRELINE_HEAD_H

#include "base/buf.h"

/* Which lines: $UFLINE, $RPLINE, $DTLINE, in this order. */
struct preline_head {
	bool from, return_path, delivered_to;
};

/* All three variables must be there, also those that are left out: false otherwise. */
bool preline_head(const struct preline_head *wanted, struct buf *out);

#endif
