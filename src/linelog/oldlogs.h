/*
 * oldlogs: the finished files of a log directory, whose names begin with '@'
 * and sort by time.
 */
#ifndef LINELOG_OLDLOGS_H
#define LINELOG_OLDLOGS_H

#include <limits.h>
#include <stddef.h>

/* How many there are with names of at least `shortest` bytes, and the first of these. -1 with errno. */
int oldlogs_look(int dir, size_t shortest, char oldest[NAME_MAX + 1]);

#endif
