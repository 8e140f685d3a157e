/*
 * datefield: a message with the local date in front, to another program: what
 * predate and datemail do (contract §14.2).
 */
#ifndef FILTER_DATEFIELD_H
#define FILTER_DATEFIELD_H

#include <time.h>

#include "base/buf.h"

/* "Date: 21 Nov 2026 11:06:03 +0100\n" for `now` in the zone of the environment. */
void datefield_add(struct buf *out, time_t now);

/* Gives argv that field and what can be read from descriptor 0. The exit code for `me`. */
int datefield_feed(const char *me, char *const *argv);

#endif
