#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mailbox/maildirscan.h"
#include "testing/testplace.h"

static int dir;

static void put(const char *name, time_t mtime, time_t atime)
{
	struct timespec times[2] = { { .tv_sec = atime }, { .tv_sec = mtime } };
	int fd = openat(dir, name, O_WRONLY | O_CREAT, 0600);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, "abc", 3), 3);
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
}

static int begin(void **state)
{
	testplace_begin(state);
	dir = open(testplace(), O_RDONLY | O_DIRECTORY);
	return mkdirat(dir, "new", 0700) | mkdirat(dir, "cur", 0700) | mkdirat(dir, "tmp", 0700);
}

static void lists_messages_by_age(void **state)
{
	struct maildir_list list;
	struct err e;

	(void)state;
	put("new/b", 300, 300);
	put("new/.hidden", 300, 300);
	put("cur/a:2,S", 100, 100);
	put("new/c", 200, 200);
	put("new/future", 1000, 1000);
	assert_int_equal(mkdirat(dir, "new/directory", 0700), 0);
	assert_int_equal(symlinkat("b", dir, "new/link"), 0);
	assert_true(maildir_scan(dir, true, 1000, &list, &e));
	assert_int_equal(list.n, 3);
	assert_string_equal(list.entry[0].path, "cur/a:2,S");
	assert_string_equal(list.entry[1].path, "new/c");
	assert_string_equal(list.entry[2].path, "new/b");
	assert_int_equal(list.entry[2].size, 3);
	maildir_list_free(&list);
	assert_true(maildir_scan(dir, false, 1000, &list, &e));
	assert_int_equal(list.n, 2);
	maildir_list_free(&list);
}

static void believes_names_that_tell_everything(void **state)
{
	struct maildir_list list;
	struct err e;

	(void)state;
	put("new/100000500.M1.h,S=7,W=9", 700, 700);
	put("cur/100000400.M1.h,S=8,W=10:2,S", 700, 700);
	put("new/100000600.M1.h,S=5", 700, 700);
	put("new/200000000.M1.h,S=5,W=6", 700, 700);
	assert_int_equal(mkdirat(dir, "new/100000001.M1.h,S=7,W=9", 0700), 0);
	assert_true(maildir_scan_names(dir, true, 100001000, &list, &e));
	assert_int_equal(list.n, 8);
	/* Real times first: of three old messages, and of those whose names lack something or tell of the future. */
	assert_string_equal(list.entry[6].path, "cur/100000400.M1.h,S=8,W=10:2,S");
	assert_int_equal(list.entry[6].mtime.tv_sec, 100000400);
	assert_int_equal(list.entry[6].size, 8);
	assert_string_equal(list.entry[7].path, "new/100000500.M1.h,S=7,W=9");
	for (size_t i = 0; i < 6; i++) {
		assert_true(list.entry[i].mtime.tv_sec <= 1000);
		assert_int_equal(list.entry[i].size, 3);
	}
	maildir_list_free(&list);
	assert_true(maildir_scan(dir, true, 100001000, &list, &e));
	assert_int_equal(list.entry[7].size, 3);
	maildir_list_free(&list);
}

static void says_what_cannot_be_read(void **state)
{
	struct maildir_list list;
	struct err e;

	(void)state;
	assert_int_equal(renameat(dir, "cur", dir, "gone"), 0);
	assert_false(maildir_scan(dir, true, 1000, &list, &e));
	assert_string_equal(e.text, "unable to read cur: file does not exist");
	assert_int_equal(list.n, 0);
	assert_int_equal(renameat(dir, "gone", dir, "cur"), 0);
}

static void cleans_what_is_abandoned(void **state)
{
	(void)state;
	put("tmp/old", 5, 999);
	put("tmp/young", 5, 1001);
	maildir_clean_tmp(dir, 1000 + 36 * 3600);
	assert_int_equal(faccessat(dir, "tmp/old", F_OK, 0), -1);
	assert_int_equal(faccessat(dir, "tmp/young", F_OK, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_messages_by_age),
		cmocka_unit_test(believes_names_that_tell_everything),
		cmocka_unit_test(says_what_cannot_be_read),
		cmocka_unit_test(cleans_what_is_abandoned),
	};

	return cmocka_run_group_tests(tests, begin, testplace_end);
}
