#include "journal/journal_fixture.h"
#include "journal/record.h"
#include "journal/segment.h"

static void flip(const char *name, uint64_t at)
{
	int fd = open_file(name);
	char c;

	assert_int_equal(file_read_at(fd, &c, 1, at), 1);
	c = (char)(c ^ 0x10);
	file_write_at(fd, &c, 1, at);
	file_close(fd);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_is_believed_only_where_it_was_written),
		cmocka_unit_test_setup_teardown(a_head_survives_one_damaged_copy, format, release),
		cmocka_unit_test_setup_teardown(a_flipped_byte_costs_at_most_one_message, format, release),
		cmocka_unit_test_setup_teardown(a_segment_cut_anywhere_keeps_what_stands_before, format, release),
		cmocka_unit_test_setup_teardown(a_zeroed_tail_keeps_what_stands_before, format, release),
		cmocka_unit_test_setup_teardown(what_a_sender_writes_is_never_a_record, format, release),
		cmocka_unit_test_setup_teardown(a_read_error_is_no_damage, format, release),
		cmocka_unit_test_setup_teardown(looking_changes_nothing, format, release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
