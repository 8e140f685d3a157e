#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "journal/journal.h"
#include "journal/journal_internal.h"
#include "journal/record.h"
#include "journal/segment.h"
#include "simdisk/simdisk.h"
#include "sys/file.h"
#include "wire/wire.h"

#define FIRST "journal/0000000000000001.journal"

/* ---- a journal on the simulated disk ------------------------------------------------------- */

static struct {
	struct journal *j;
	int root;
	struct buf warnings;
	uint32_t segment_size;
} t;

static int format(void **state)
{
	(void)state;
	simdisk_format();
	t.root = file_open_dir(AT_FDCWD, "/");
	t.warnings = BUF_INIT(1 << 20);
	t.segment_size = JOURNAL_SEGMENT_MIN;
	return 0;
}

static int release(void **state)
{
	(void)state;
	if (t.j)
		journal_close(t.j);
	t.j = NULL;
	buf_free(&t.warnings);
	simdisk_free();
	return 0;
}

static void remember(void *ctx, const char *text)
{
	(void)ctx;
	buf_addz(&t.warnings, text);
	buf_addc(&t.warnings, '\n');
}

static bool try_open(bool read_only, struct err *e)
{
	struct journal_options o = { .segment_size = t.segment_size, .read_only = read_only, .warn = remember };

	buf_clear(&t.warnings);
	return journal_open(t.root, &o, &t.j, e);
}

static void open_journal(void)
{
	struct err e;

	if (!try_open(false, &e))
		fail_msg("%s", e.text);
}

static void close_journal(void)
{
	journal_close(t.j);
	t.j = NULL;
}

static uint64_t corrupt(void)
{
	struct journal_stats s;

	journal_stats(t.j, &s);
	return s.corrupt;
}

/* Content of a message: its letter, `size` times. */
static bool stage(char letter, size_t size, uint32_t nrecipients, uint64_t *id, struct err *e)
{
	char sender[] = "?@example.org", *content = mem_alloc(size);
	struct buf recipients = BUF_INIT(SIZE_MAX);
	struct journal_message m;
	bool ok;

	sender[0] = letter;
	memset(content, letter, size);
	for (uint32_t i = 0; i < nrecipients; i++) {
		wire_put_str(&recipients, STR("r@example.net"));
		wire_put_str(&recipients, STR(""));
	}
	m = (struct journal_message){ .birth = letter,
				      .sender = str_of(sender),
				      .recipients = buf_str(&recipients),
				      .nrecipients = nrecipients,
				      .content = { content, size } };
	*id = journal_new_id(t.j);
	ok = journal_stage_message(t.j, *id, &m, e);
	buf_free(&recipients);
	free(content);
	return ok;
}

static uint64_t accept(char letter, size_t size)
{
	struct err e;
	uint64_t id;

	if (!stage(letter, size, 2, &id, &e) || !journal_commit(t.j, true, &e))
		fail_msg("%s", e.text);
	return id;
}

static void commit(void)
{
	struct err e;

	if (!journal_commit(t.j, true, &e))
		fail_msg("%s", e.text);
}

/* Is the message there? If it is, it must be whole. */
static bool is_whole(uint64_t id, char letter, size_t size)
{
	struct journal_envelope env;
	struct err e;

	if (!journal_read_envelope(t.j, id, &env, &e))
		return false;
	assert_int_equal(env.sender.p[0], letter);
	assert_int_equal(env.content.n, size);
	for (size_t i = 0; i < size; i++)
		assert_int_equal(env.content.p[i], letter);
	buf_free(&env.storage);
	return true;
}

static int open_file(const char *name)
{
	int fd = file_open(AT_FDCWD, name, O_RDWR | O_CREAT, 0600);

	assert_int_not_equal(fd, -1);
	return fd;
}

static void flip(const char *name, uint64_t at)
{
	int fd = open_file(name);
	char c;

	assert_int_equal(file_read_at(fd, &c, 1, at), 1);
	c = (char)(c ^ 0x10);
	file_write_at(fd, &c, 1, at);
	file_close(fd);
}

static uint64_t size_of(const char *name)
{
	int fd = open_file(name);
	uint64_t n = (uint64_t)file_size(fd);

	file_close(fd);
	return n;
}

static bool count_name(void *ctx, const char *name)
{
	(void)name;
	++*(size_t *)ctx;
	return true;
}

static size_t count_files(const char *dir)
{
	int fd = file_open_dir(AT_FDCWD, dir);
	size_t n = 0;

	if (fd == -1)
		return 0;
	file_list(fd, count_name, &n);
	file_close(fd);
	return n;
}

/* ---- parts ------------------------------------------------------------------------------------ */

static void a_header_is_believed_only_where_it_was_written(void **state)
{
	struct record r = { .type = RECORD_RESULT,
			    .id = 5,
			    .segment = 7,
			    .offset = 160,
			    .synced = 160,
			    .meta_length = 10,
			    .content_length = 20,
			    .meta_crc = 1,
			    .content_crc = 2 };
	char h[RECORD_HEADER];
	struct str view = { h, sizeof h };
	struct record got;

	(void)state;
	record_put_header(h, &r, 99);
	assert_true(record_get_header(view, 7, 160, 99, &got));
	assert_true(got.type == r.type && got.id == r.id && got.synced == r.synced);
	assert_true(got.meta_length == r.meta_length && got.content_length == r.content_length);
	assert_true(got.meta_crc == r.meta_crc && got.content_crc == r.content_crc);
	assert_false(record_get_header(view, 8, 160, 99, &got));
	assert_false(record_get_header(view, 7, 176, 99, &got));
	assert_false(record_get_header(view, 7, 160, 98, &got));
	assert_false(record_get_header(str_head(view, RECORD_HEADER - 1), 7, 160, 99, &got));
	for (size_t i = 0; i < sizeof h; i++) {
		h[i] = (char)(h[i] ^ 1);
		assert_false(record_get_header(view, 7, 160, 99, &got));
		h[i] = (char)(h[i] ^ 1);
	}
	assert_int_equal(record_size(0, 0), 64);
	assert_int_equal(record_size(1, 0), 80);
	assert_int_equal(record_size(8, 8), 80);
}

static void segment_names_are_sixteen_hex_digits(void **state)
{
	uint64_t n;
	char name[32];

	(void)state;
	segment_name(name, 0xabc);
	assert_string_equal(name, "0000000000000abc.journal");
	assert_true(segment_parse_name(name, &n) && n == 0xabc);
	assert_false(segment_parse_name("0000000000000ABC.journal", &n));
	assert_false(segment_parse_name("000000000000abc.journal", &n));
	assert_false(segment_parse_name("0000000000000abc.journa1", &n));
	assert_false(segment_parse_name("spare", &n));
}

static void a_head_survives_one_damaged_copy(void **state)
{
	struct segment_head head = { .number = 1, .next_id = 9, .seed = 77, .size = 4096, .back = 1, .before = 5 }, got;
	bool spare = false;
	int fd;

	(void)state;
	file_make_dir(t.root, "journal", 0700);
	fd = segment_create(file_open_dir(t.root, "journal"), &head, &spare);
	assert_int_equal(segment_read_head(fd, &got), SEGMENT_GOOD);
	assert_memory_equal(&got, &head, sizeof head);
	for (uint32_t i = 0; i < SEGMENT_HEAD; i++) {
		flip(FIRST, i);
		file_write_at(fd, "", 1, 4000);
		assert_int_equal(segment_read_head(fd, &got), SEGMENT_GOOD);
		file_write_at(fd, "x", 1, 4000);
		assert_int_equal(segment_read_head(fd, &got), SEGMENT_SCRATCHED);
		assert_memory_equal(&got, &head, sizeof head);
		flip(FIRST, i);
	}
	flip(FIRST, 3);
	flip(FIRST, 83);
	file_write_at(fd, "", 1, 4000);
	assert_int_equal(segment_read_head(fd, &got), SEGMENT_EMPTY);
	file_write_at(fd, "x", 1, 4000);
	assert_int_equal(segment_read_head(fd, &got), SEGMENT_DAMAGED);
}

static void an_envelope_is_read_as_it_was_written(void **state)
{
	struct message_meta m = { .birth = -1,
				  .due = 5,
				  .uid = 1,
				  .pid = 2,
				  .has_body = true,
				  .body_size = 3,
				  .body_crc = 77,
				  .sender = STR("s"),
				  .attributes = STR("aa"),
				  .recipients = STR("rrr"),
				  .nrecipients = 9,
				  .done = STR("\1\1"),
				  .nnotes = 1,
				  .notes = STR("nnnn") },
			    got;
	struct buf b = BUF_INIT(SIZE_MAX);

	(void)state;
	message_meta_put(&b, &m);
	assert_true(message_meta_get(buf_str(&b), &got));
	assert_int_equal(got.birth, -1);
	assert_true(got.has_body && got.body_size == 3 && got.body_crc == 77 && got.nrecipients == 9);
	assert_true(str_eq(got.sender, m.sender) && str_eq(got.notes, m.notes) && str_eq(got.done, m.done));
	for (size_t n = 0; n < b.n; n++)
		assert_false(message_meta_get(str_head(buf_str(&b), n), &got));
	/* What earlier versions wrote ends there. */
	assert_true(message_meta_get(buf_str(&b), &got) && !got.told_late && got.reportable.n == 0);
	buf_clear(&b);
	m.told_late = true;
	m.reportable = STR("\2\0");
	message_meta_put(&b, &m);
	assert_true(message_meta_get(buf_str(&b), &got) && got.told_late && str_eq(got.reportable, m.reportable));
	m.reportable = STR("\2");
	buf_clear(&b);
	message_meta_put(&b, &m);
	assert_false(message_meta_get(buf_str(&b), &got));
	buf_clear(&b);
	m.told_late = false;
	m.reportable = STR("");
	m.nrecipients = 17; /* more than there are done bits */
	message_meta_put(&b, &m);
	assert_false(message_meta_get(buf_str(&b), &got));
	buf_free(&b);
}

/* ---- damage --------------------------------------------------------------------------------------- */

#define NSMALL 12

/* Twelve messages and what happened to them: about fifty records, closed in order. */
static struct simdisk_image *small_journal(uint64_t ids[NSMALL])
{
	struct simdisk_image *image;

	open_journal();
	for (int i = 0; i < NSMALL; i++) {
		ids[i] = accept((char)('a' + i), 40 + 50 * (size_t)i);
		journal_stage_result(t.j, ids[i], 0, i % 2 ? JOURNAL_DELIVERED : JOURNAL_FAILED, STR("no such user"));
		if (i % 3 == 0)
			journal_stage_defer(t.j, ids[i], 1000 + i, STR(""));
		if (i % 4 == 1)
			journal_stage_end(t.j, ids[i]);
		if (i % 2)
			commit();
	}
	close_journal();
	image = simdisk_save();
	return image;
}

static void restore(const struct simdisk_image *image)
{
	simdisk_restore(image);
	t.root = file_open_dir(AT_FDCWD, "/");
}

struct due {
	uint64_t id;
	int64_t due;
};

static void find_due(void *ctx, const struct journal_info *info)
{
	struct due *d = ctx;

	if (info->id == d->id)
		d->due = info->due;
}

/* How many of the messages are not as they were; the content of those that are there is right. */
static int affected(const uint64_t ids[NSMALL])
{
	int n = 0;

	for (int i = 0; i < NSMALL; i++) {
		bool live = is_whole(ids[i], (char)('a' + i), 40 + 50 * (size_t)i);
		struct due d = { ids[i], 0 };

		journal_each(t.j, find_due, &d);
		n += live != (i % 4 != 1) ||
		     (live && (!journal_done(t.j, ids[i], 0) || d.due != (i % 3 == 0 ? 1000 + i : 0)));
		assert_false(journal_done(t.j, ids[i], 1));
	}
	return n;
}

static void a_flipped_byte_costs_at_most_one_message(void **state)
{
	uint64_t ids[NSMALL], size;
	struct simdisk_image *image = small_journal(ids);
	unsigned long harmless = 0;

	(void)state;
	size = size_of(FIRST);
	for (uint64_t at = 0; at < size; at++) {
		int n;
		uint64_t damages;

		restore(image);
		flip(FIRST, at);
		open_journal();
		n = affected(ids);
		damages = corrupt();
		if (n > 1)
			fail_msg("byte %llu: %d messages affected", (unsigned long long)at, n);
		if (n && damages == 0)
			fail_msg("byte %llu: damage is not reported", (unsigned long long)at);
		if (n && count_files("corrupt") == 0)
			fail_msg("byte %llu: the bytes are not kept", (unsigned long long)at);
		harmless += damages == 0;
		/* It goes on working. */
		accept('z', 10);
		close_journal();
	}
	/* Only the zeros between records are not covered by a checksum. */
	assert_true(harmless < size / 5);
	simdisk_image_free(image);
}

static void a_segment_cut_anywhere_keeps_what_stands_before(void **state)
{
	uint64_t ids[NSMALL], size;
	struct simdisk_image *image = small_journal(ids);
	int last = 0;

	(void)state;
	size = size_of(FIRST);
	for (uint64_t n = 0; n <= size; n++) {
		int there = 0, fd;

		restore(image);
		fd = open_file(FIRST);
		file_truncate(fd, n);
		file_close(fd);
		open_journal();
		for (int i = 0; i < NSMALL; i++) {
			bool live = is_whole(ids[i], (char)('a' + i), 40 + 50 * (size_t)i);

			there += live || (i % 4 == 1 && i <= there);
		}
		assert_true(there >= last - 1);
		last = there;
		close_journal();
	}
	assert_int_equal(last, NSMALL);
	simdisk_image_free(image);
}

static void a_zeroed_tail_keeps_what_stands_before(void **state)
{
	static const char zeros[65536];
	uint64_t ids[NSMALL], size;
	struct simdisk_image *image = small_journal(ids);

	(void)state;
	size = size_of(FIRST);
	for (uint64_t from = 0; from < size; from += 7) {
		int fd;

		restore(image);
		fd = open_file(FIRST);
		file_write_at(fd, zeros, (size_t)(size - from), from);
		file_close(fd);
		open_journal();
		/* The last result says of itself nothing but zeros. */
		if (from > SEGMENT_HEAD && from < size - 80)
			assert_true(corrupt() > 0);
		if (from > 1500)
			assert_true(is_whole(ids[0], 'a', 40));
		affected(ids);
		close_journal();
	}
	simdisk_image_free(image);
}

/* Three segments with a message each that nearly fills it. */
static void three_segments(uint64_t ids[3])
{
	open_journal();
	for (int i = 0; i < 3; i++)
		ids[i] = accept((char)('a' + i), 35000);
	close_journal();
}

static void copy_file(const char *from, const char *to)
{
	int in = open_file(from), out = open_file(to);
	size_t n = (size_t)file_size(in);
	char *bytes = mem_alloc(n);

	file_read_at(in, bytes, n, 0);
	file_write_at(out, bytes, n, 0);
	file_truncate(out, n);
	file_close(in);
	file_close(out);
	free(bytes);
}

static void swapped_segments_are_known_by_their_heads(void **state)
{
	uint64_t ids[3];

	(void)state;
	three_segments(ids);
	file_rename(AT_FDCWD, FIRST, AT_FDCWD, "journal/x");
	file_rename(AT_FDCWD, "journal/0000000000000003.journal", AT_FDCWD, FIRST);
	file_rename(AT_FDCWD, "journal/x", AT_FDCWD, "journal/0000000000000003.journal");
	open_journal();
	for (int i = 0; i < 3; i++)
		assert_true(is_whole(ids[i], (char)('a' + i), 35000));
	assert_int_equal(corrupt(), 2);
	journal_stage_end(t.j, ids[0]);
	commit();
	journal_maintain(t.j);
	close_journal();
	open_journal();
	assert_false(is_whole(ids[0], 'a', 35000));
	assert_true(is_whole(ids[1], 'b', 35000));
	assert_true(is_whole(ids[2], 'c', 35000));
}

static void a_copied_segment_is_set_aside(void **state)
{
	uint64_t ids[3], more;

	(void)state;
	three_segments(ids);
	copy_file(FIRST, "journal/0000000000000004.journal");
	copy_file(FIRST, "journal/0000000000000000.journal");
	open_journal();
	for (int i = 0; i < 3; i++)
		assert_true(is_whole(ids[i], (char)('a' + i), 35000));
	assert_int_equal(corrupt(), 2);
	assert_int_equal(count_files("corrupt"), 2);
	more = accept('d', 100);
	close_journal();
	open_journal();
	assert_int_equal(corrupt(), 0);
	assert_true(is_whole(more, 'd', 100));
}

static void a_missing_segment_costs_only_what_was_in_it(void **state)
{
	uint64_t ids[3];

	(void)state;
	three_segments(ids);
	file_unlink(AT_FDCWD, "journal/0000000000000002.journal");
	open_journal();
	assert_true(is_whole(ids[0], 'a', 35000));
	assert_false(is_whole(ids[1], 'b', 35000));
	assert_true(is_whole(ids[2], 'c', 35000));
	assert_int_equal(corrupt(), 1);
}

static void a_file_that_is_no_segment_is_set_aside(void **state)
{
	uint64_t ids[3];
	int fd;

	(void)state;
	three_segments(ids);
	fd = open_file("journal/0000000000000009.journal");
	for (uint64_t o = 0; o < 1000; o += 10)
		file_write_at(fd, "not a queue", 11, o);
	file_close(fd);
	open_journal();
	assert_int_equal(corrupt(), 1);
	assert_int_equal(size_of("corrupt/0000000000000009.journal"), 1001);
	assert_int_equal(journal_count(t.j), 3);
}

/* Sets the version in a record's header. */
static void set_version(char *header, char version, uint32_t seed)
{
	uint32_t crc;

	header[6] = version;
	crc = crc32c(seed, header, 60);
	for (size_t i = 0; i < 4; i++)
		header[60 + i] = (char)(crc >> 8 * i);
}

static void set_head_version(const char *name, char version)
{
	char head[SEGMENT_HEAD];
	int fd = open_file(name);

	file_read_at(fd, head, sizeof head, 0);
	for (size_t at = 0; at < sizeof head; at += SEGMENT_HEAD / 2)
		set_version(head + at, version, 0);
	file_write_at(fd, head, sizeof head, 0);
	file_close(fd);
}

static void the_first_version_is_read(void **state)
{
	char header[RECORD_HEADER];
	struct segment_head head;
	uint64_t ids[3];
	struct record r;
	int fd;

	(void)state;
	three_segments(ids);
	set_head_version(FIRST, 1);
	fd = open_file(FIRST);
	assert_int_equal(segment_read_head(fd, &head), SEGMENT_GOOD);
	for (uint32_t at = SEGMENT_HEAD; file_read_at(fd, header, sizeof header, at) == (ssize_t)sizeof header;
	     at += (uint32_t)record_size(r.meta_length, r.content_length)) {
		if (!record_get_header((struct str){ header, sizeof header }, 1, at, head.seed, &r))
			break;
		set_version(header, 1, head.seed);
		file_write_at(fd, header, sizeof header, at);
	}
	file_close(fd);
	open_journal();
	assert_int_equal(journal_count(t.j), 3);
	assert_int_equal(corrupt(), 0);
}

static void another_version_is_left_alone(void **state)
{
	uint64_t ids[3];
	struct err e;

	(void)state;
	three_segments(ids);
	set_head_version(FIRST, 3);
	assert_false(try_open(false, &e));
	assert_non_null(strstr(e.text, "another version"));
	assert_int_equal(e.kind, ERR_PERMANENT);
	assert_int_equal(size_of(FIRST) > 35000, true);
}

/* A message holds what would be an END record for another if its place were searched for records. */
static void what_a_sender_writes_is_never_a_record(void **state)
{
	struct buf content = BUF_INIT(SIZE_MAX);
	struct journal_message m = { .sender = STR("a@b"), .nrecipients = 0 };
	uint64_t victim, id, id2;
	struct err e;

	(void)state;
	open_journal();
	victim = accept('v', 10);
	/* Every place it might come to lie at. */
	for (uint32_t at = 0; at < 16384; at += 16) {
		struct record r = { .type = RECORD_END, .id = victim, .segment = 1, .offset = at + 512 };
		char h[RECORD_HEADER];

		record_put_header(h, &r, 0);
		buf_add(&content, (struct str){ h, sizeof h });
	}
	m.content = str_head(buf_str(&content), 30000);
	id = journal_new_id(t.j);
	assert_true(journal_stage_message(t.j, id, &m, &e));
	commit();
	id2 = accept('w', 10);
	close_journal();
	/* The header of the hostile message is damaged: it follows the first one. */
	flip(FIRST, SEGMENT_HEAD + record_size(16 + 8 + 1 + 8 + 4 + 4 + 13 + 4 + 4 + 4 + 42 + 4 + 4 + 4, 10) + 8);
	open_journal();
	assert_false(is_whole(id, 'x', 0));
	assert_true(is_whole(victim, 'v', 10));
	assert_true(is_whole(id2, 'w', 10));
	assert_int_equal(corrupt(), 1);
	buf_free(&content);
}

static void a_read_error_is_no_damage(void **state)
{
	struct journal_envelope env;
	struct err e;
	uint64_t id;

	(void)state;
	open_journal();
	id = accept('a', 100);
	simdisk_fail(SIMDISK_READ, 1, 1, EIO);
	assert_false(journal_read_envelope(t.j, id, &env, &e));
	assert_int_equal(e.kind, ERR_TEMPORARY);
	assert_true(is_whole(id, 'a', 100));
	close_journal();
	/* At start, too: what could not be read is there again another time. */
	simdisk_fail(SIMDISK_READ, 2, 1000, EIO);
	open_journal();
	simdisk_fail(0, 0, 0, 0);
	assert_false(is_whole(id, 'a', 100));
	close_journal();
	open_journal();
	assert_true(is_whole(id, 'a', 100));
}

static void looking_changes_nothing(void **state)
{
	uint64_t ids[NSMALL];
	struct simdisk_image *image = small_journal(ids);
	struct err e;

	(void)state;
	restore(image);
	flip(FIRST, 400);
	copy_file(FIRST, "journal/0000000000000004.journal");
	simdisk_fail(SIMDISK_ANY & ~(unsigned)(SIMDISK_OPEN | SIMDISK_READ | SIMDISK_LIST), 1, 1000, EROFS);
	{
		uint64_t before = simdisk_operations();

		assert_true(try_open(true, &e));
		assert_true(affected(ids) <= 1);
		assert_true(corrupt() >= 2);
		close_journal();
		assert_int_equal(simdisk_operations(), before);
	}
	simdisk_image_free(image);
}

/* ---- limits and failures of the disk --------------------------------------------------------------- */

static void on_a_full_disk_mail_is_refused_and_results_are_not(void **state)
{
	uint64_t ids[200], id;
	size_t n = 0;
	struct err e;

	(void)state;
	/* Six segments, and a little that is only enough for a small one. */
	t.segment_size = 4 * JOURNAL_SEGMENT_MIN;
	simdisk_set_capacity(25 * JOURNAL_SEGMENT_MIN + 5000);
	open_journal();
	while (n < 200 && stage('a', 20000, 2, &ids[n], &e)) {
		commit();
		n++;
	}
	assert_true(n > 40 && n < 100);
	assert_int_equal(e.kind, ERR_TEMPORARY);
	assert_false(journal_has_room(t.j));
	/* Far more of what happens than the rest of one segment holds. */
	for (int round = 0; round < 60; round++)
		for (size_t i = 0; i < n; i++) {
			journal_stage_defer(t.j, ids[i], round + 1, STR(""));
			if (round == 5)
				journal_stage_result(t.j, ids[i], 0, JOURNAL_FAILED, STR("no"));
			if (i % 16 == 0)
				commit();
		}
	commit();
	close_journal();
	open_journal();
	assert_int_equal(journal_count(t.j), n);
	assert_true(journal_done(t.j, ids[n - 1], 0));
	assert_false(stage('b', 20000, 2, &id, &e));
	/* Mail leaves, and room comes back, though some of it stays in the oldest segment. */
	for (size_t i = 1; i < n; i++)
		journal_stage_end(t.j, ids[i]);
	commit();
	for (int i = 0; i < 50; i++)
		journal_maintain(t.j);
	assert_true(journal_has_room(t.j));
	id = accept('b', 5000);
	close_journal();
	open_journal();
	assert_int_equal(journal_count(t.j), 2);
	assert_true(is_whole(ids[0], 'a', 20000));
	assert_true(is_whole(id, 'b', 5000));
}

static void a_failed_sync_acknowledges_nothing(void **state)
{
	uint64_t first, refused, later;
	struct journal_stats s;
	struct err e;

	(void)state;
	open_journal();
	first = accept('a', 100);
	journal_stage_result(t.j, first, 0, JOURNAL_FAILED, STR("no"));
	assert_true(journal_commit(t.j, false, &e));
	assert_true(stage('b', 100, 2, &refused, &e));
	simdisk_fail(SIMDISK_SYNC, 1, 1, EIO);
	assert_false(journal_commit(t.j, false, &e));
	assert_int_equal(e.sys, EIO);
	assert_false(is_whole(refused, 'b', 100));
	later = accept('c', 100);
	journal_stats(t.j, &s);
	assert_int_equal(s.segments, 2);
	simdisk_boot(SIMDISK_KEEP_ALL, 1);
	t.root = file_open_dir(AT_FDCWD, "/");
	simdisk_stop(true);
	close_journal();
	simdisk_stop(false);
	open_journal();
	assert_true(is_whole(first, 'a', 100));
	assert_false(is_whole(refused, 'b', 100));
	assert_true(is_whole(later, 'c', 100));
	assert_true(journal_done(t.j, first, 0));
}

static void what_was_written_before_a_failed_sync_is_written_again(void **state)
{
	uint64_t first;
	struct err e;

	(void)state;
	open_journal();
	first = accept('a', 100);
	journal_stage_result(t.j, first, 1, JOURNAL_DELIVERED, STR(""));
	assert_true(journal_commit(t.j, false, &e));
	simdisk_fail(SIMDISK_SYNC, 1, 1, EIO);
	assert_false(journal_commit(t.j, true, &e));
	assert_true(journal_dirty(t.j));
	commit();
	simdisk_boot(SIMDISK_KEEP_NONE, 1);
	t.root = file_open_dir(AT_FDCWD, "/");
	simdisk_stop(true);
	close_journal();
	simdisk_stop(false);
	open_journal();
	assert_true(is_whole(first, 'a', 100));
	assert_true(journal_done(t.j, first, 1));
}

static void too_large_is_refused_for_good(void **state)
{
	struct err e;
	uint64_t id;

	(void)state;
	open_journal();
	assert_false(stage('a', JOURNAL_SEGMENT_MIN, 1, &id, &e));
	assert_int_equal(e.kind, ERR_PERMANENT);
	assert_false(journal_dirty(t.j));
}

static void count_note(void *ctx, uint32_t recipient, enum journal_result result, struct str text)
{
	size_t *n = ctx;

	assert_int_equal(result, JOURNAL_FAILED);
	assert_true(recipient < 1000);
	assert_true(text.n <= JOURNAL_NOTE_MAX);
	++*n;
}

static void count_any_note(void *ctx, uint32_t recipient, enum journal_result result, struct str text)
{
	(void)recipient;
	(void)result;
	(void)text;
	++*(size_t *)ctx;
}

static void expect_told(uint64_t id, size_t notes, bool failed, bool reportable, bool late)
{
	struct journal_envelope env;
	struct err e;
	size_t n = 0;

	assert_true(journal_read_envelope(t.j, id, &env, &e));
	assert_int_equal(env.failed, failed);
	assert_int_equal(env.reportable, reportable);
	assert_int_equal(env.told_late, late);
	buf_free(&env.storage);
	assert_true(journal_each_note(t.j, id, count_any_note, &n, &e));
	assert_int_equal(n, notes);
}

/* Also when the disk fails just then, and the power after that. */
static void what_the_sender_was_told_is_remembered(void **state)
{
	static const uint32_t first[] = { 0 };
	uint64_t id, filler[6];
	struct err e;

	(void)state;
	open_journal();
	id = accept('a', 100);
	expect_told(id, 0, false, false, false);
	journal_stage_result(t.j, id, 0, JOURNAL_FAILED, STR("no"));
	journal_stage_result(t.j, id, 1, JOURNAL_REPORTABLE, STR("yes"));
	expect_told(id, 2, true, true, false);
	commit();
	journal_stage_reported(t.j, id, first, 1);
	journal_stage_told_late(t.j, id);
	expect_told(id, 1, false, true, true);
	simdisk_fail(SIMDISK_SYNC, 1, 1, EIO);
	assert_false(journal_commit(t.j, true, &e));
	commit();
	simdisk_boot(SIMDISK_KEEP_NONE, 1);
	t.root = file_open_dir(AT_FDCWD, "/");
	simdisk_stop(true);
	close_journal();
	simdisk_stop(false);
	open_journal();
	expect_told(id, 1, false, true, true);
	/* It moves along. */
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 6; i++)
			filler[i] = accept('f', 20000);
		for (int i = 0; i < 6; i++)
			journal_stage_end(t.j, filler[i]);
		commit();
		for (int i = 0; i < 5; i++)
			journal_maintain(t.j);
	}
	expect_told(id, 1, false, true, true);
	close_journal();
	open_journal();
	expect_told(id, 1, false, true, true);
}

/* Many long texts: more than a segment holds, and the message must still be movable. */
static void notes_never_outgrow_a_segment(void **state)
{
	char *text = mem_alloc(100000);
	uint64_t id, filler[6];
	size_t notes = 0;
	struct err e;

	(void)state;
	memset(text, 'n', 100000);
	open_journal();
	assert_true(stage('a', 100, 1000, &id, &e));
	commit();
	for (uint32_t i = 0; i < 1000; i++)
		journal_stage_result(t.j, id, i, JOURNAL_FAILED, (struct str){ text, i < 5 ? 100000 : 300 });
	assert_true(journal_each_note(t.j, id, count_note, &notes, &e));
	assert_int_equal(notes, 1000);
	commit();
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 6; i++)
			filler[i] = accept('f', 20000);
		for (int i = 0; i < 6; i++)
			journal_stage_end(t.j, filler[i]);
		commit();
		while (journal_maintain(t.j))
			;
	}
	assert_true(count_files("journal") < 8);
	close_journal();
	open_journal();
	notes = 0;
	assert_true(journal_each_note(t.j, id, count_note, &notes, &e));
	assert_int_equal(notes, 1000);
	assert_true(is_whole(id, 'a', 100));
	free(text);
}

static void numbers_are_never_used_again(void **state)
{
	uint64_t id, last = 0;

	(void)state;
	for (int i = 0; i < 5; i++) {
		open_journal();
		id = accept('a', 100);
		assert_true(id > last);
		last = id;
		journal_stage_end(t.j, id);
		commit();
		close_journal();
		/* All segments are dead now, and none is written to. */
		open_journal();
		journal_maintain(t.j);
		close_journal();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_is_believed_only_where_it_was_written),
		cmocka_unit_test(segment_names_are_sixteen_hex_digits),
		cmocka_unit_test(an_envelope_is_read_as_it_was_written),
		cmocka_unit_test_setup_teardown(a_head_survives_one_damaged_copy, format, release),
		cmocka_unit_test_setup_teardown(a_flipped_byte_costs_at_most_one_message, format, release),
		cmocka_unit_test_setup_teardown(a_segment_cut_anywhere_keeps_what_stands_before, format, release),
		cmocka_unit_test_setup_teardown(a_zeroed_tail_keeps_what_stands_before, format, release),
		cmocka_unit_test_setup_teardown(swapped_segments_are_known_by_their_heads, format, release),
		cmocka_unit_test_setup_teardown(a_copied_segment_is_set_aside, format, release),
		cmocka_unit_test_setup_teardown(a_missing_segment_costs_only_what_was_in_it, format, release),
		cmocka_unit_test_setup_teardown(a_file_that_is_no_segment_is_set_aside, format, release),
		cmocka_unit_test_setup_teardown(the_first_version_is_read, format, release),
		cmocka_unit_test_setup_teardown(another_version_is_left_alone, format, release),
		cmocka_unit_test_setup_teardown(what_a_sender_writes_is_never_a_record, format, release),
		cmocka_unit_test_setup_teardown(a_read_error_is_no_damage, format, release),
		cmocka_unit_test_setup_teardown(looking_changes_nothing, format, release),
		cmocka_unit_test_setup_teardown(on_a_full_disk_mail_is_refused_and_results_are_not, format, release),
		cmocka_unit_test_setup_teardown(a_failed_sync_acknowledges_nothing, format, release),
		cmocka_unit_test_setup_teardown(what_was_written_before_a_failed_sync_is_written_again, format,
						release),
		cmocka_unit_test_setup_teardown(too_large_is_refused_for_good, format, release),
		cmocka_unit_test_setup_teardown(what_the_sender_was_told_is_remembered, format, release),
		cmocka_unit_test_setup_teardown(notes_never_outgrow_a_segment, format, release),
		cmocka_unit_test_setup_teardown(numbers_are_never_used_again, format, release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
