/*
 * logdir: a directory of log files that rotates by itself, as multilog keeps
 * it (contract-companions §2.3).
 *
 *   current            what is being written; its x bit tells that it was
 *                      closed in good order and is on disk as a whole
 *   @TAI64N.s          finished and on disk
 *   @TAI64N.u          was current or previous when we were killed; its end
 *                      may be missing
 *   previous processed newstate   only while a processor works
 *   state              what the processor remembers
 *   lock               held as long as we write
 *
 * Opening fails with a struct err. After that nothing is given up: trouble is
 * reported on descriptor 2, and tried again every 5 seconds until it is over,
 * so that no line is lost. At every instant the files are such that the next
 * start can go on from them.
 */
#ifndef LINELOG_LOGDIR_H
#define LINELOG_LOGDIR_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

#define LOGDIR_SIZE_MIN 4096
#define LOGDIR_SIZE_MAX 16777215
#define LOGDIR_SIZE_DEFAULT 99999
#define LOGDIR_NUMBER_MIN 2
#define LOGDIR_NUMBER_DEFAULT 10

struct logdir_settings {
	const char *me;        /* for messages */
	const char *name;      /* of the directory */
	uint64_t size;         /* bytes of a file */
	uint64_t number;       /* of files, with current */
	const char *processor; /* a shell command, or NULL */
};

struct logdir {
	struct logdir_settings set;
	int dir, lock, current;
	uint64_t bytes; /* in current, with what is in `out` */
	struct buf out;
};

/* Makes or recovers the directory. */
bool logdir_open(struct logdir *d, const struct logdir_settings *set, struct err *e);

/* Adds a piece of a line, or all of it; may keep it in memory. A file ends after a line when there is no room for much
 * more. */
void logdir_write(struct logdir *d, struct str piece);
/* Writes what is in memory. */
void logdir_flush(struct logdir *d);
/* Begins a new file, unless this one is empty. */
void logdir_rotate(struct logdir *d);
/* In good order: flushed, synced, marked. */
void logdir_close(struct logdir *d);

#endif
