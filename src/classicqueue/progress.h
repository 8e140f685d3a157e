/*
 * progress: what of a queue has been carried over, so that a carrying that
 * was interrupted can be repeated.
 *
 * A file of lines in the foreign queue's directory. The first is "id ID" with
 * a number that this directory is known by from then on; then "done A B" for
 * everything that is finished, "begun A B" for what may be half there. Lines
 * are durable before the next step is taken; a last line without its end does
 * not count.
 */
#ifndef CLASSICQUEUE_PROGRESS_H
#define CLASSICQUEUE_PROGRESS_H

#include "base/buf.h"
#include "base/err.h"

struct progress_pair {
	uint64_t a, b;
	bool done;
};

struct progress {
	int fd;
	char id[17];
	struct progress_pair *items;
	size_t n, room;
	size_t *slots; /* by a: index of its last item and 1, or 0 */
	size_t nslots;
};

/* Reads or makes the file `name` in dir. */
bool progress_open(struct progress *p, int dir, const char *name, struct err *e);
void progress_close(struct progress *p);

/* The last line about a, or NULL. */
const struct progress_pair *progress_find(const struct progress *p, uint64_t a);

/* Adds lines for n pairs and makes them durable. */
bool progress_add(struct progress *p, const struct progress_pair *pairs, size_t n, struct err *e);

#endif
