#include "base/crc32c.h"
#include "journal/journal_fixture.h"
#include "journal/record.h"
#include "journal/segment.h"

/* Three segments with a message each that nearly fills it. */
static void three_segments(uint64_t ids[3])
{
	open_journal();
	for (int i = 0; i < 3; i++)
		ids[i] = accept((char)('a' + i), 35000);
	close_journal();
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

static void mail_is_taken_before_all_is_read(void **state)
{
	uint64_t ids[3], more;
	int parts = 0;

	(void)state;
	three_segments(ids);
	t.part = 1000;
	open_journal();
	assert_int_equal(journal_count(t.j), 0);
	more = accept('d', 100);
	assert_true(more > ids[2]);
	while (journal_recover_part(t.j))
		parts++;
	assert_true(parts >= 3);
	assert_false(journal_recover_part(t.j));
	assert_int_equal(journal_count(t.j), 4);
	assert_int_equal(corrupt(), 0);
	for (int i = 0; i < 3; i++)
		assert_true(is_whole(ids[i], (char)('a' + i), 35000));
	assert_true(is_whole(more, 'd', 100));
}

static void mail_is_kept_when_the_rest_is_not_read(void **state)
{
	uint64_t ids[3], more;

	(void)state;
	three_segments(ids);
	t.part = 1000;
	open_journal();
	more = accept('d', 100);
	journal_recover_part(t.j);
	close_journal();
	t.part = 0;
	open_journal();
	assert_int_equal(journal_count(t.j), 4);
	assert_int_equal(corrupt(), 0);
	assert_true(is_whole(ids[2], 'c', 35000));
	assert_true(is_whole(more, 'd', 100));
}

/* It cannot happen but with segments that somebody has mixed up. */
static void a_number_given_out_again_costs_no_new_mail(void **state)
{
	uint64_t ids[3], more;

	(void)state;
	three_segments(ids);
	t.part = 1000;
	open_journal();
	t.j->next_id = ids[1];
	more = accept('d', 100);
	assert_int_equal(more, ids[1]);
	while (journal_recover_part(t.j))
		;
	assert_int_equal(journal_count(t.j), 3);
	assert_int_equal(corrupt(), 1);
	assert_true(is_whole(more, 'd', 100));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(swapped_segments_are_known_by_their_heads, format, release),
		cmocka_unit_test_setup_teardown(mail_is_taken_before_all_is_read, format, release),
		cmocka_unit_test_setup_teardown(mail_is_kept_when_the_rest_is_not_read, format, release),
		cmocka_unit_test_setup_teardown(a_number_given_out_again_costs_no_new_mail, format, release),
		cmocka_unit_test_setup_teardown(a_copied_segment_is_set_aside, format, release),
		cmocka_unit_test_setup_teardown(a_missing_segment_costs_only_what_was_in_it, format, release),
		cmocka_unit_test_setup_teardown(a_file_that_is_no_segment_is_set_aside, format, release),
		cmocka_unit_test_setup_teardown(the_first_version_is_read, format, release),
		cmocka_unit_test_setup_teardown(another_version_is_left_alone, format, release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
