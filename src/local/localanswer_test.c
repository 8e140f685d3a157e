#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "local/localanswer.h"
#include "testing/testplace.h"

static void put_file(const char *name, const char *text, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	fchmod(fd, mode);
	close(fd);
}

static enum recipient_answer ask(const char *dash, const char *ext)
{
	const struct local_job job = {
		.user = "joe",
		.home = testplace(),
		.local = "joe",
		.dash = dash,
		.ext = ext,
		.host = "a.test",
		.sender = NULL,
		.default_delivery = "./Maildir/",
	};

	return local_answer(&job).answer;
}

static void what_can_be_delivered_exists(void **state)
{
	(void)state;
	assert_int_equal(ask("", ""), RECIPIENT_EXISTS);
	put_file(".qmail-list", "", 0600);
	put_file(".qmail-to", "&ann@a.test\n./mbox\n", 0600);
	put_file(".qmail-deep-default", "# nothing\n", 0600);
	assert_int_equal(ask("-", "list"), RECIPIENT_EXISTS);
	assert_int_equal(ask("-", "TO"), RECIPIENT_EXISTS);
	assert_int_equal(ask("-", "deep-in-it"), RECIPIENT_EXISTS);
}

static void programs_decide_for_themselves(void **state)
{
	(void)state;
	put_file(".qmail", "|touch ran\n", 0600);
	put_file(".qmail-both", "./Maildir/\n&x@y.test\n|touch ran\n", 0600);
	put_file(".qmail-default", "|touch ran\n", 0600);
	assert_int_equal(ask("", ""), RECIPIENT_MAY_EXIST);
	assert_int_equal(ask("-", "both"), RECIPIENT_MAY_EXIST);
	assert_int_equal(ask("-", "anything"), RECIPIENT_MAY_EXIST);
	assert_int_equal(access("ran", F_OK), -1);
}

static void what_would_bounce_is_absent(void **state)
{
	static char longest[LOCAL_ADDRESS_MAX + 2];

	(void)state;
	put_file(".qmail-deep-default", "./Maildir/\n", 0600);
	assert_int_equal(ask("-", "list"), RECIPIENT_ABSENT);
	assert_int_equal(ask("-", "deep"), RECIPIENT_ABSENT);
	assert_int_equal(ask("-", "../../etc/passwd"), RECIPIENT_ABSENT);
	memset(longest, 'a', sizeof longest - 1);
	assert_int_equal(ask("-", longest), RECIPIENT_ABSENT);
}

static void what_would_be_deferred_is_unknown(void **state)
{
	(void)state;
	put_file(".qmail-blank", "\n./Maildir/\n", 0600);
	put_file(".qmail-open", "./Maildir/\n", 0602);
	put_file(".qmail-x", "./Maildir/\n", 0700);
	assert_int_equal(symlink("loop", ".qmail-loop"), 0);
	assert_int_equal(ask("-", "blank"), RECIPIENT_UNKNOWN);
	assert_int_equal(ask("-", "open"), RECIPIENT_UNKNOWN);
	assert_int_equal(ask("-", "x"), RECIPIENT_UNKNOWN);
	chmod(testplace(), 0702);
	assert_int_equal(ask("-", "nobody"), RECIPIENT_UNKNOWN);
}

static size_t entries(void)
{
	DIR *d = opendir(".");
	size_t n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void nothing_is_written(void **state)
{
	size_t before;

	(void)state;
	put_file(".qmail", "./Maildir/\n./mbox\n|touch ran\n&x@y.test\n", 0600);
	before = entries();
	assert_int_equal(ask("", ""), RECIPIENT_MAY_EXIST);
	assert_int_equal(entries(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_can_be_delivered_exists, testplace_begin, testplace_end),
		cmocka_unit_test_setup_teardown(programs_decide_for_themselves, testplace_begin, testplace_end),
		cmocka_unit_test_setup_teardown(what_would_bounce_is_absent, testplace_begin, testplace_end),
		cmocka_unit_test_setup_teardown(what_would_be_deferred_is_unknown, testplace_begin, testplace_end),
		cmocka_unit_test_setup_teardown(nothing_is_written, testplace_begin, testplace_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
