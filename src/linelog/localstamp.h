/*
 * localstamp: times in words, in the zone of the environment.
 */
#ifndef LINELOG_LOCALSTAMP_H
#define LINELOG_LOCALSTAMP_H

#include "base/buf.h"

/* Zeroed before its first use. */
struct localstamp {
	bool known; /* text is that of `second`: most lines of a log share theirs with the one before */
	int64_t second;
	char text[48];
};

/* "2026-11-21 14:05:09"; false, and nothing is added, for a time that no calendar has. */
bool localstamp_add(struct localstamp *s, struct buf *out, int64_t unix_second);

#endif
