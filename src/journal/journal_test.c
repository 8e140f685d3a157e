#include "journal/journal_fixture.h"

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
		cmocka_unit_test(segment_names_are_sixteen_hex_digits),
		cmocka_unit_test(an_envelope_is_read_as_it_was_written),
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
