/*
 * record: the form of one record in a segment (docs/QUEUE.md). Pure.
 *
 * A record is a header of RECORD_HEADER bytes, `meta_length` bytes of encoded
 * fields, `content_length` bytes of message content, and zeros up to a
 * multiple of RECORD_ALIGN. Header, meta and content have a crc32c each. The
 * header names the segment and offset it was written to, so that bytes of an
 * older life of the same file, or of a misplaced copy, are never believed.
 *
 * A header's checksum begins with the segment's seed, a secret number: when
 * recovery looks for the next record behind a damaged one, what a sender has
 * put into a message cannot pass for a record.
 */
#ifndef JOURNAL_RECORD_H
#define JOURNAL_RECORD_H

#include "base/buf.h"

#define RECORD_HEADER 64u
#define RECORD_ALIGN 16u
#define RECORD_MAGIC 0x316c4a51u /* "QJl1" */
#define RECORD_VERSION 2u        /* written; 2 has results that are to be reported */
#define RECORD_VERSION_OLDEST 1u /* still read */

/* Numbers on disk; never reused. */
enum record_type {
	RECORD_SEGMENT = 1, /* first in every segment, twice (segment.h); id: the next message number */
	RECORD_MESSAGE = 2,
	RECORD_RESULT = 3, /* one recipient is done, perhaps with a note */
	RECORD_DEFER = 4,  /* not due before */
	RECORD_END = 5,
	RECORD_VOID = 7,     /* covers bytes that recovery found to be no record; its content means nothing */
	RECORD_MOVED = 6,    /* a message again, with all that happened to it, from an older segment */
	RECORD_REPORTED = 8, /* the sender has been told */
};

struct record {
	enum record_type type;
	uint64_t id;
	uint64_t segment;
	uint32_t offset;
	uint32_t synced; /* bytes of the segment that were durable when this was written */
	uint32_t meta_length, content_length;
	uint32_t meta_crc, content_crc;
};

/* Bytes on disk, padding included. */
uint64_t record_size(uint64_t meta_length, uint64_t content_length);

/* Writes the header's RECORD_HEADER bytes. */
void record_put_header(char *to, const struct record *r, uint32_t seed);

/* Decodes and verifies a header found at `offset` of `segment`. */
bool record_get_header(struct str bytes, uint64_t segment, uint32_t offset, uint32_t seed, struct record *r);

/* Is it one that this program reads? */
bool record_version_known(uint32_t version);

/* As record_get_header, wherever it stands and whichever version wrote it: *version says. */
bool record_peek_header(struct str bytes, uint32_t seed, uint32_t *version, struct record *r);

#endif
