/*
 * segment: the files of the journal, numbered and kept in order.
 *
 * A segment begins with its head: the SEGMENT record, twice, because without
 * its seed nothing in the segment can be read. A segment's file is as long as
 * was reserved for it while it is written, and is cut to what is in use once
 * all of that is durable: a file that is shorter was closed in order.
 */
#ifndef JOURNAL_SEGMENT_H
#define JOURNAL_SEGMENT_H

#include "base/buf.h"
#include "base/err.h"

#define SEGMENT_HEAD 160u /* bytes; the first record stands behind */

struct segment {
	uint64_t number;
	uint64_t file; /* the number in the file's name; another one if somebody has renamed it */
	int fd;
	uint32_t seed;
	uint32_t size;    /* bytes reserved */
	uint32_t used;    /* bytes that hold records; of the current one: see journal */
	uint32_t durable; /* of these, known to be durable; of the current one: see journal */
	uint32_t live;    /* live messages whose record is here */
	uint64_t live_bytes;
	bool unreadable; /* some of it could not be read: its file is not removed but set aside */
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

/* What a head says. */
struct segment_head {
	uint64_t number, next_id;
	uint32_t seed, size;
	uint32_t back;   /* how much lower the segment before is numbered; 0: there was none */
	uint32_t before; /* bytes of that segment that were durable when this one was made */
};

enum segment_state {
	SEGMENT_GOOD,
	SEGMENT_SCRATCHED, /* one of the two copies is damaged, and there are records */
	SEGMENT_EMPTY,     /* nothing was ever written behind the head: making it was cut off */
	SEGMENT_FOREIGN,   /* of another version */
	SEGMENT_DAMAGED,
	SEGMENT_UNREADABLE, /* errno */
};

enum segment_state segment_read_head(int fd, struct segment_head *head);

/*
 * Makes the file of a segment with `head->size` bytes reserved and its head
 * durable, from the spare if there is one. -1 with errno; no file is left
 * then.
 */
int segment_create(int dir, const struct segment_head *head, bool *spare);
/* Makes a spare of `size` bytes, if there is none and there is room. */
bool segment_make_spare(int dir, uint32_t size);

#endif
