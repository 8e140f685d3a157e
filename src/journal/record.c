#include "journal/record.h"

#include "base/crc32c.h"

enum { CRC_AT = 60 };

static void put(char *to, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (char)(v >> (8 * i) & 255);
}

static uint64_t get(const char *from, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)(unsigned char)from[i] << (8 * i);
	return v;
}

uint64_t record_size(uint64_t meta_length, uint64_t content_length)
{
	uint64_t n = RECORD_HEADER + meta_length + content_length;

	return (n + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
}

void record_put_header(char *to, const struct record *r, uint32_t seed)
{
	memset(to, 0, RECORD_HEADER);
	put(to, RECORD_MAGIC, 4);
	put(to + 4, r->type, 1);
	put(to + 6, RECORD_VERSION, 2);
	put(to + 8, r->id, 8);
	put(to + 16, r->segment, 8);
	put(to + 24, r->offset, 4);
	put(to + 28, r->synced, 4);
	put(to + 32, r->meta_length, 4);
	put(to + 36, r->content_length, 4);
	put(to + 40, r->meta_crc, 4);
	put(to + 44, r->content_crc, 4);
	put(to + CRC_AT, crc32c(seed, to, CRC_AT), 4);
}

bool record_peek_header(struct str bytes, uint32_t seed, uint32_t *version, struct record *r)
{
	const char *p = bytes.p;

	if (bytes.n < RECORD_HEADER || get(p, 4) != RECORD_MAGIC || get(p + CRC_AT, 4) != crc32c(seed, p, CRC_AT))
		return false;
	*version = (uint32_t)get(p + 6, 2);
	*r = (struct record){
		.type = (enum record_type)get(p + 4, 1),
		.id = get(p + 8, 8),
		.segment = get(p + 16, 8),
		.offset = (uint32_t)get(p + 24, 4),
		.synced = (uint32_t)get(p + 28, 4),
		.meta_length = (uint32_t)get(p + 32, 4),
		.content_length = (uint32_t)get(p + 36, 4),
		.meta_crc = (uint32_t)get(p + 40, 4),
		.content_crc = (uint32_t)get(p + 44, 4),
	};
	return true;
}

bool record_version_known(uint32_t version)
{
	return version >= RECORD_VERSION_OLDEST && version <= RECORD_VERSION;
}

bool record_get_header(struct str bytes, uint64_t segment, uint32_t offset, uint32_t seed, struct record *r)
{
	uint32_t version;

	return record_peek_header(bytes, seed, &version, r) && record_version_known(version) && r->segment == segment &&
	       r->offset == offset;
}
