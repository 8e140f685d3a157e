#include "wire/wire.h"

static void put(struct buf *b, uint64_t v, size_t n)
{
	char bytes[8];

	for (size_t i = 0; i < n; i++)
		bytes[i] = (char)(v >> (8 * i) & 255);
	buf_add(b, (struct str){ bytes, n });
}

void wire_put_u8(struct buf *b, uint8_t v)
{
	put(b, v, 1);
}

void wire_put_u32(struct buf *b, uint32_t v)
{
	put(b, v, 4);
}

void wire_put_u64(struct buf *b, uint64_t v)
{
	put(b, v, 8);
}

void wire_put_str(struct buf *b, struct str s)
{
	if (s.n > UINT32_MAX) {
		b->failed = true;
		return;
	}
	put(b, s.n, 4);
	buf_add(b, s);
}

static uint64_t get(struct wire_reader *r, size_t n)
{
	uint64_t v = 0;

	if (r->bad || r->rest.n < n) {
		r->bad = true;
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)(unsigned char)r->rest.p[i] << (8 * i);
	r->rest = str_from(r->rest, n);
	return v;
}

uint8_t wire_get_u8(struct wire_reader *r)
{
	return (uint8_t)get(r, 1);
}

uint32_t wire_get_u32(struct wire_reader *r)
{
	return (uint32_t)get(r, 4);
}

uint64_t wire_get_u64(struct wire_reader *r)
{
	return get(r, 8);
}

struct str wire_get_str(struct wire_reader *r, size_t max)
{
	size_t n = wire_get_u32(r);
	struct str s;

	if (r->bad || n > max || n > r->rest.n) {
		r->bad = true;
		return STR("");
	}
	s = str_head(r->rest, n);
	r->rest = str_from(r->rest, n);
	return s;
}

bool wire_end(const struct wire_reader *r)
{
	return !r->bad && r->rest.n == 0;
}
