#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/dirlist.h"
#include "testing/testplace.h"

struct seen {
	int names, regular, most;
};

static bool count(void *ctx, const char *name, enum dirlist_kind kind)
{
	struct seen *s = ctx;

	assert_true(*name == 'f' || *name == 'd');
	/* Some file systems do not say. */
	assert_true(kind == DIRLIST_UNKNOWN || (kind == DIRLIST_REGULAR) == (*name == 'f'));
	s->regular += kind == DIRLIST_REGULAR;
	return ++s->names < s->most;
}

static void names_have_kinds(void **state)
{
	struct seen all = { .most = 100 }, two = { .most = 2 };
	int dir;

	(void)state;
	dir = open(testplace(), O_RDONLY | O_DIRECTORY);
	close(openat(dir, "f1", O_CREAT | O_WRONLY, 0600));
	close(openat(dir, "f2", O_CREAT | O_WRONLY, 0600));
	assert_int_equal(mkdirat(dir, "d", 0700), 0);
	assert_int_equal(dirlist(dir, count, &all), 0);
	assert_int_equal(all.names, 3);
	/* Again from the start, and only until it is enough. */
	assert_int_equal(dirlist(dir, count, &two), 0);
	assert_int_equal(two.names, 2);
	close(dir);
}

static void what_is_no_directory_is_an_error(void **state)
{
	struct seen none = { 0 };

	(void)state;
	assert_int_equal(dirlist(-1, count, &none), -1);
	assert_int_equal(errno, EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_have_kinds),
		cmocka_unit_test(what_is_no_directory_is_an_error),
	};

	return cmocka_run_group_tests(tests, testplace_begin, testplace_end);
}
