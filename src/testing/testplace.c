#include "testing/testplace.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/home.h"
#include "sys/io.h"

static char place[64];

int testplace_begin(void **state)
{
	(void)state;
	snprintf(place, sizeof place, "/tmp/quilltest.XXXXXX");
	assert_non_null(mkdtemp(place));
	/* Some tests become somebody else in it. */
	assert_int_equal(chmod(place, 0755), 0);
	assert_int_equal(chdir(place), 0);
	return 0;
}

int testplace_begin_home(void **state)
{
	struct err e;

	testplace_begin(state);
	testplace_mkdir("control");
	assert_int_equal(setenv("QMAILHOME", place, 1), 0);
	assert_true(home_open(&e));
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

int testplace_end(void **state)
{
	(void)state;
	assert_int_equal(chdir("/"), 0);
	return nftw(place, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *testplace(void)
{
	return place;
}

const char *testplace_path(const char *name)
{
	static char path[4200];

	snprintf(path, sizeof path, "%s/%s", place, name);
	return path;
}

void testplace_put(const char *name, struct str content)
{
	int fd = open(testplace_path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_int_not_equal(fd, -1);
	assert_int_equal(io_write_all(fd, content.p, content.n), 0);
	assert_int_equal(close(fd), 0);
}

void testplace_putz(const char *name, const char *content)
{
	testplace_put(name, str_of(content));
}

void testplace_mkdir(const char *name)
{
	assert_int_equal(mkdir(testplace_path(name), 0755), 0);
}
