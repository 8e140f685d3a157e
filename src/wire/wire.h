/*
 * wire: the encoding of messages between Quillmail's processes.
 *
 * Integers are little-endian and of fixed size; strings are a u32 length and
 * the bytes. A reader remembers that something was missing ("short"), so a
 * decoder reads all its fields and asks once at the end with wire_end.
 */
#ifndef WIRE_WIRE_H
#define WIRE_WIRE_H

#include "base/buf.h"

void wire_put_u8(struct buf *b, uint8_t v);
void wire_put_u32(struct buf *b, uint32_t v);
void wire_put_u64(struct buf *b, uint64_t v);
void wire_put_str(struct buf *b, struct str s);

struct wire_reader {
	struct str rest;
	bool bad; /* a field was missing or too long; sticks */
};

static inline struct wire_reader wire_reader(struct str packet)
{
	return (struct wire_reader){ packet, false };
}

/* Each returns 0 / empty once the reader is bad. */
uint8_t wire_get_u8(struct wire_reader *r);
uint32_t wire_get_u32(struct wire_reader *r);
uint64_t wire_get_u64(struct wire_reader *r);
/* A view into the packet, at most `max` bytes; longer makes the reader bad. */
struct str wire_get_str(struct wire_reader *r, size_t max);

/* True when every field was there and nothing is left over. */
bool wire_end(const struct wire_reader *r);

#endif
