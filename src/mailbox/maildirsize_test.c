#include "mailbox/maildirsize.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void quotas_are_bytes_and_messages(void **state)
{
	struct maildir_quota q;
	struct buf b = BUF_INIT(100);

	(void)state;
	assert_true(maildir_quota_parse(STR("10000000S,1000C"), &q));
	assert_int_equal(q.bytes, 10000000);
	assert_int_equal(q.messages, 1000);
	maildir_quota_format(&b, &q);
	assert_string_equal(buf_cstr(&b), "10000000S,1000C");
	assert_true(maildir_quota_parse(STR("7C,5X"), &q));
	assert_true(q.bytes == 0 && q.messages == 7);
	assert_true(maildir_quota_parse(STR(""), &q));
	assert_false(maildir_quota_limits(&q));
	assert_false(maildir_quota_parse(STR("S"), &q));
	assert_false(maildir_quota_parse(STR("1.5S"), &q));
	assert_false(maildir_quota_parse(STR("-1S"), &q));
	assert_false(maildir_quota_parse(STR("99999999999999999999S"), &q));
	buf_free(&b);
}

static void lines_are_summed(void **state)
{
	struct maildirsize s;

	(void)state;
	assert_true(maildirsize_parse(STR("1000S,3C\n100 1\n  200 1\n-100 -1 \n"), &s));
	assert_int_equal(s.bytes, 200);
	assert_int_equal(s.messages, 1);
	assert_int_equal(s.lines, 3);
	assert_int_equal(s.quota.messages, 3);
	assert_true(maildirsize_parse(STR("1000S\n"), &s));
	assert_int_equal(s.lines, 0);
}

static void damaged_files_are_noticed(void **state)
{
	static const char *const bad[] = { "",           "1000S",  "x\n1 1\n", "1S\n1\n",
					   "1S\n1 x\n",  "1S\n\n", "1S\n1 1",  "1S\n99999999999999 1\n",
					   "1S\n--1 1\n" };
	struct maildirsize s;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(maildirsize_parse(str_of(bad[i]), &s));
}

static void limits_hold_to_the_byte(void **state)
{
	struct maildirsize s = { .quota = { 1000, 3 }, .bytes = 900, .messages = 2 };

	(void)state;
	assert_false(maildirsize_over(&s, 100, 1));
	assert_true(maildirsize_over(&s, 101, 1));
	assert_true(maildirsize_over(&s, 1, 2));
	assert_true(maildirsize_over(&s, UINT64_MAX, 0));
	assert_int_equal(maildirsize_room(&s), 100);
	s.bytes = 1001;
	assert_int_equal(maildirsize_room(&s), 0);
	s.bytes = -50;
	assert_int_equal(maildirsize_room(&s), 1000);
	s.messages = 3;
	assert_int_equal(maildirsize_room(&s), 0);
	assert_false(maildirsize_over(&s, 1000, 0));
	assert_true(maildirsize_over(&s, 1001, 0));
	s.quota = (struct maildir_quota){ 0, 0 };
	assert_false(maildirsize_over(&s, UINT64_MAX, UINT64_MAX));
	assert_true(maildirsize_room(&s) == UINT64_MAX);
}

static void names_tell_sizes_and_flags(void **state)
{
	uint64_t v;

	(void)state;
	assert_true(maildir_name_size(STR("1.2.h,S=1234,W=1300:2,ST"), 'S', &v));
	assert_int_equal(v, 1234);
	assert_true(maildir_name_size(STR("1.2.h,S=1234,W=1300:2,ST"), 'W', &v));
	assert_int_equal(v, 1300);
	assert_false(maildir_name_size(STR("1.2.h:2,S=1"), 'S', &v));
	assert_false(maildir_name_size(STR("1.2.h,S=12x"), 'S', &v));
	assert_false(maildir_name_size(STR("1.2.h,S="), 'S', &v));
	assert_false(maildir_name_size(STR("1.2.h"), 'S', &v));
	assert_true(maildir_name_flag(STR("x:2,ST"), 'T'));
	assert_false(maildir_name_flag(STR("T:2,S"), 'T'));
	assert_false(maildir_name_flag(STR("T"), 'T'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quotas_are_bytes_and_messages), cmocka_unit_test(lines_are_summed),
		cmocka_unit_test(damaged_files_are_noticed),     cmocka_unit_test(limits_hold_to_the_byte),
		cmocka_unit_test(names_tell_sizes_and_flags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
