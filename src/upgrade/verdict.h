/*
 * verdict: what becomes of something that an existing qmail has, once our
 * programs run in its place.
 */
#ifndef UPGRADE_VERDICT_H
#define UPGRADE_VERDICT_H

#include "base/str.h"

enum verdict {
	VERDICT_USED,    /* as it is */
	VERDICT_DIFFERS, /* it counts, and means something else, or something is to be done */
	VERDICT_IGNORED,
};

/* name: of what; text: one line, "" where there is nothing to say. */
typedef void verdict_given(void *ctx, enum verdict v, struct str name, const char *text);

#endif
