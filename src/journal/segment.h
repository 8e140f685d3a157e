/*
 * segment: the files of the journal, numbered and kept in order.
 */
#ifndef JOURNAL_SEGMENT_H
#define JOURNAL_SEGMENT_H

#include "base/buf.h"
#include "base/err.h"

struct segment {
	uint64_t number;
	int fd;
	uint32_t used; /* bytes that hold records; of the current one: see journal */
	uint32_t live; /* live messages whose record is here */
};

struct segment_list {
	struct segment **items; /* oldest first */
	size_t n, room;
};

/* Name of a segment's file in queue/journal/. */
void segment_name(char out[32], uint64_t number);
/* The number in a file name; false for other names. */
bool segment_parse_name(const char *name, uint64_t *number);

struct segment *segment_append(struct segment_list *l, uint64_t number, int fd);
/* Closes and forgets the oldest; its file stays. */
void segment_drop_oldest(struct segment_list *l);
void segment_list_free(struct segment_list *l);

/*
 * Makes the file of segment `number` with `size` bytes reserved and its
 * SEGMENT record durable, from the spare if there is one. -1 with errno; no
 * file is left then.
 */
int segment_create(int dir, uint64_t number, uint32_t size, uint64_t next_id, bool *spare);
/* Makes a spare of `size` bytes, if there is none and there is room. */
bool segment_make_spare(int dir, uint32_t size);

#endif
