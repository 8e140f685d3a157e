#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "classicqueue/progress.h"
#include "sys/file.h"
#include "testing/testplace.h"

static int dir;

static struct progress open_it(void)
{
	struct progress p;
	struct err e;

	if (!progress_open(&p, dir, "progress", &e))
		fail_msg("%s", e.text);
	return p;
}

static void what_was_written_down_is_known_again(void **state)
{
	struct progress p = open_it();
	char id[sizeof p.id];
	struct err e;

	(void)state;
	memcpy(id, p.id, sizeof id);
	assert_int_equal(strlen(id), 16);
	for (uint64_t i = 0; i < 2000; i++)
		assert_true(progress_add(&p, &(struct progress_pair){ i * 4096, i, false }, 1, &e));
	assert_true(progress_add(&p, &(struct progress_pair){ 4096, 77, true }, 1, &e));
	progress_close(&p);
	p = open_it();
	assert_string_equal(p.id, id);
	assert_true(progress_find(&p, 4096)->done);
	assert_int_equal(progress_find(&p, 4096)->b, 77);
	assert_false(progress_find(&p, 8192)->done);
	assert_int_equal(progress_find(&p, 1999 * 4096)->b, 1999);
	assert_null(progress_find(&p, 1));
	progress_close(&p);
}

static void half_a_line_does_not_count(void **state)
{
	struct progress p = open_it();
	struct err e;

	(void)state;
	assert_int_equal(file_append(p.fd, "done 5 ", 7), 0);
	progress_close(&p);
	p = open_it();
	assert_null(progress_find(&p, 5));
	assert_true(progress_add(&p, &(struct progress_pair){ 6, 1, true }, 1, &e));
	progress_close(&p);
	p = open_it();
	assert_true(progress_find(&p, 6)->done);
	assert_int_equal(file_truncate(p.fd, 3), 0);
	progress_close(&p);
	/* Not even the first line is whole. */
	p = open_it();
	assert_int_equal(p.n, 0);
	assert_int_equal(strlen(p.id), 16);
	progress_close(&p);
}

static int begin(void **state)
{
	testplace_begin(state);
	dir = file_open_dir(AT_FDCWD, testplace());
	return dir == -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_down_is_known_again),
		cmocka_unit_test(half_a_line_does_not_count),
	};

	return cmocka_run_group_tests(tests, begin, testplace_end);
}
