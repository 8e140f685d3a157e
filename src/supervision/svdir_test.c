#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervision/svdir.h"
#include "testing/testplace.h"

static void fails_with(int errnum, int fd)
{
	assert_int_equal(fd, -1);
	assert_int_equal(errno, errnum);
}

static void tells_the_states_apart(void **state)
{
	int dir, reader, writer;

	(void)state;
	dir = svdir_open(testplace());
	assert_true(dir >= 0);
	fails_with(ENOENT, svdir_fifo(dir, "ok"));
	assert_int_equal(mkdirat(dir, "supervise", 0700), 0);
	assert_int_equal(mkfifoat(dir, "supervise/ok", 0600), 0);
	fails_with(ENXIO, svdir_fifo(dir, "ok"));
	reader = openat(dir, "supervise/ok", O_RDONLY | O_NONBLOCK);
	writer = svdir_fifo(dir, "ok");
	assert_true(writer >= 0);
	close(writer);
	close(reader);
	close(dir);
	fails_with(ENOENT, svdir_open("none"));
	fails_with(ENOTDIR, svdir_open("/dev/null"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(tells_the_states_apart) };

	return cmocka_run_group_tests(tests, testplace_begin, testplace_end);
}
