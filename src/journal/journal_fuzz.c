/*
 * Opens a journal whose only segment holds fuzzed bytes, reads everything in
 * it, and lets it work.
 *
 * The input is a series of records, each u8 type, u8 id, u8 flags, u16 meta
 * length, u16 content length and these bytes. Their checksums are set right,
 * or the fuzzer would never get past them, unless the flags say that a byte
 * of the header is to be spoiled.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "journal/journal.h"
#include "journal/record.h"
#include "journal/segment.h"
#include "simdisk/simdisk.h"
#include "sys/file.h"
#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEED 42

static uint16_t take_u16(struct wire_reader *in)
{
	uint16_t low = wire_get_u8(in);

	return (uint16_t)(low | wire_get_u8(in) << 8);
}

static struct str take(struct str *rest, size_t n)
{
	struct str s = str_head(*rest, n);

	*rest = str_from(*rest, s.n);
	return s;
}

static void add_record(struct buf *b, struct wire_reader *in)
{
	struct record r = { .segment = 1, .offset = (uint32_t)b->n };
	struct str meta, content;
	size_t at = b->n;
	uint8_t flags;

	r.type = wire_get_u8(in);
	r.id = wire_get_u8(in);
	flags = wire_get_u8(in);
	r.meta_length = take_u16(in);
	r.content_length = take_u16(in);
	if (flags & 1)
		r.synced = r.offset;
	meta = take(&in->rest, r.meta_length);
	content = take(&in->rest, r.content_length);
	r.meta_crc = crc32c(0, meta.p, meta.n);
	r.content_crc = crc32c(0, content.p, content.n);
	/* A length that promises more than follows. */
	if (!(flags & 2)) {
		r.meta_length = (uint32_t)meta.n;
		r.content_length = (uint32_t)content.n;
	}
	buf_room(b, RECORD_HEADER);
	buf_wrote(b, RECORD_HEADER);
	record_put_header(b->p + at, &r, SEED);
	if (flags & 4)
		b->p[at + flags % RECORD_HEADER] ^= 0x40;
	buf_add(b, meta);
	buf_add(b, content);
	while (b->n % RECORD_ALIGN)
		buf_addc(b, 0);
}

static void write_segment(const uint8_t *data, size_t size)
{
	struct segment_head head = { .number = 1, .next_id = 1, .seed = SEED, .size = JOURNAL_SEGMENT_MIN };
	struct wire_reader in = wire_reader((struct str){ (const char *)data, size });
	struct buf b = BUF_INIT(4 << 20);
	bool spare = false;
	int fd;

	file_make_dir(AT_FDCWD, "journal", 0700);
	fd = segment_create(file_open_dir(AT_FDCWD, "journal"), &head, &spare);
	for (size_t i = 0; i < SEGMENT_HEAD; i++)
		buf_addc(&b, 0);
	while (in.rest.n && !in.bad)
		add_record(&b, &in);
	file_write_at(fd, b.p + SEGMENT_HEAD, b.n - SEGMENT_HEAD, SEGMENT_HEAD);
	buf_free(&b);
}

struct reading {
	struct journal *j;
	uint64_t ids[256];
	size_t n;
};

static void collect(void *ctx, const struct journal_info *info)
{
	struct reading *r = ctx;

	if (r->n < 256)
		r->ids[r->n++] = info->id;
}

static void look_at_note(void *ctx, uint32_t recipient, enum journal_result result, struct str text)
{
	*(uint64_t *)ctx += recipient + text.n + result;
}

static void use(struct journal *j)
{
	struct reading r = { .j = j };
	uint64_t sum = 0;
	struct err e;

	journal_each(j, collect, &r);
	for (size_t i = 0; i < r.n; i++) {
		struct journal_envelope env;

		if (!journal_read_envelope(j, r.ids[i], &env, &e))
			continue;
		buf_free(&env.storage);
		journal_each_note(j, r.ids[i], look_at_note, &sum, &e);
		journal_done(j, r.ids[i], 3);
		journal_stage_result(j, r.ids[i], 1, JOURNAL_FAILED, STR("x"));
		journal_stage_result(j, r.ids[i], 2, JOURNAL_REPORTABLE, STR("x"));
		journal_stage_reported(j, r.ids[i], (uint32_t[]){ 1, 77 }, 2);
		if (i % 3 == 0)
			journal_stage_told_late(j, r.ids[i]);
		if (i % 2)
			journal_stage_end(j, r.ids[i]);
	}
	if (!journal_commit(j, true, &e) && r.n < 200)
		abort();
	for (int i = 0; i < 4; i++)
		journal_maintain(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct journal_options o = { .segment_size = JOURNAL_SEGMENT_MIN };
	struct journal *j;
	size_t count = 0;
	struct err e;

	simdisk_format();
	write_segment(data, size);
	for (int round = 0; round < 3; round++) {
		if (!journal_open(file_open_dir(AT_FDCWD, "/"), &o, &j, &e))
			abort();
		/* What was found once is found always. */
		if (round == 1 && journal_count(j) != count)
			abort();
		count = journal_count(j);
		if (round)
			use(j);
		journal_close(j);
	}
	simdisk_free();
	return 0;
}
