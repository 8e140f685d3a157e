#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "cdb/cdbfile.h"
#include "cdb/cdbmaker.h"
#include "sys/io.h"
#include "testing/testplace.h"

static int dirfd_of_test;

static int make_dir(void **state)
{
	testplace_begin(state);
	dirfd_of_test = open(testplace(), O_RDONLY | O_DIRECTORY);
	return dirfd_of_test == -1;
}

static int remove_dir(void **state)
{
	close(dirfd_of_test);
	return testplace_end(state);
}

static struct str number_key(struct buf *b, int i)
{
	buf_clear(b);
	buf_addf(b, "!user%d", i);
	return buf_str(b);
}

static void make_numbers(int n)
{
	struct cdbmaker m;
	struct err e;
	struct buf key = BUF_INIT(100), value = BUF_INIT(100);

	assert_true(cdbmaker_start(&m, dirfd_of_test, "t.cdb", "t.tmp", 0644, &e));
	for (int i = 0; i < n; i++) {
		buf_clear(&value);
		buf_addu(&value, (uint64_t)i);
		assert_true(cdbmaker_add(&m, number_key(&key, i), buf_str(&value), &e));
	}
	assert_true(cdbmaker_add(&m, STR(""), STR("x"), &e));
	assert_true(cdbmaker_finish(&m, &e));
	buf_free(&key);
	buf_free(&value);
}

static void what_was_put_in_is_found(void **state)
{
	struct cdbfile f;
	struct err e;
	struct buf key = BUF_INIT(100);
	struct str value;
	bool found;

	(void)state;
	make_numbers(1000);
	assert_int_equal(faccessat(dirfd_of_test, "t.tmp", F_OK, 0), -1);
	assert_true(cdbfile_open(&f, dirfd_of_test, "t.cdb", &e));
	assert_true(f.present);
	for (int i = 0; i < 1100; i++) {
		assert_true(cdbfile_find(&f, number_key(&key, i), &found, &value, &e));
		assert_int_equal(found, i < 1000);
		if (found)
			assert_int_equal(strtol(value.p, NULL, 10), i);
	}
	assert_true(cdbfile_find(&f, STR(""), &found, &value, &e) && found);
	assert_true(str_eq(value, STR("x")));
	cdbfile_close(&f);
	buf_free(&key);
}

static void a_missing_file_holds_nothing(void **state)
{
	struct cdbfile f;
	struct err e;
	struct str value;
	bool found = true;

	(void)state;
	assert_true(cdbfile_open(&f, dirfd_of_test, "nothing.cdb", &e));
	assert_false(f.present);
	assert_true(cdbfile_find(&f, STR("a"), &found, &value, &e));
	assert_false(found);
	cdbfile_close(&f);
}

static void a_change_is_noticed(void **state)
{
	struct cdbfile f;
	struct err e;
	struct str value;
	bool found;
	int fd;

	(void)state;
	make_numbers(3);
	assert_true(cdbfile_open(&f, dirfd_of_test, "t.cdb", &e));
	make_numbers(5);
	assert_true(cdbfile_find(&f, STR("!user4"), &found, &value, &e) && !found);
	assert_true(cdbfile_refresh(&f, &e));
	assert_true(cdbfile_find(&f, STR("!user4"), &found, &value, &e) && found);
	/* A writer that truncates in place does not disturb the reader, and a damaged file does not replace it. */
	fd = openat(dirfd_of_test, "t.cdb", O_WRONLY | O_TRUNC);
	close(fd);
	assert_true(cdbfile_find(&f, STR("!user4"), &found, &value, &e) && found);
	assert_false(cdbfile_refresh(&f, &e));
	assert_int_equal(e.kind, ERR_TEMPORARY);
	assert_true(cdbfile_find(&f, STR("!user4"), &found, &value, &e) && found);
	unlinkat(dirfd_of_test, "t.cdb", 0);
	assert_true(cdbfile_refresh(&f, &e));
	assert_false(f.present);
	cdbfile_close(&f);
}

static void read_image(struct buf *image)
{
	int fd = openat(dirfd_of_test, "t.cdb", O_RDONLY);

	assert_true(fd != -1 && io_read_rest(fd, image));
	close(fd);
}

static void every_truncation_is_an_error(void **state)
{
	struct buf image = BUF_INIT(1 << 20);
	struct err e;

	(void)state;
	make_numbers(40);
	read_image(&image);
	assert_true(cdbfile_check(buf_str(&image), &e));
	for (size_t n = 0; n < image.n; n++) {
		char *cut = malloc(n ? n : 1); /* exact size: a read beyond it shows */

		memcpy(cut, image.p, n);
		assert_false(cdbfile_check((struct str){ cut, n }, &e));
		assert_int_equal(e.kind, ERR_TEMPORARY);
		free(cut);
	}
	buf_free(&image);
}

/* Blocks of zeros, as a power cut leaves them, never make keys disappear without an error. */
static void lost_blocks_are_errors(void **state)
{
	struct buf image = BUF_INIT(1 << 20);
	struct err e;

	(void)state;
	make_numbers(1000);
	read_image(&image);
	for (size_t at = 0; at + 512 <= image.n; at += 512) {
		char saved[512];

		memcpy(saved, image.p + at, 512);
		memset(image.p + at, 0, 512);
		if (memcmp(saved, image.p + at, 512) != 0)
			assert_false(cdbfile_check(buf_str(&image), &e));
		memcpy(image.p + at, saved, 512);
	}
	buf_free(&image);
}

static void a_damaged_file_is_a_temporary_error(void **state)
{
	struct cdbfile f;
	struct err e;
	int fd;

	(void)state;
	make_numbers(10);
	fd = openat(dirfd_of_test, "t.cdb", O_WRONLY);
	assert_int_equal(ftruncate(fd, 2100), 0);
	close(fd);
	assert_false(cdbfile_open(&f, dirfd_of_test, "t.cdb", &e));
	assert_int_equal(e.kind, ERR_TEMPORARY);
	assert_non_null(strstr(e.text, "t.cdb"));
	assert_false(cdbfile_open(&f, dirfd_of_test, ".", &e));
	assert_int_equal(e.kind, ERR_TEMPORARY);
}

static void giving_up_leaves_nothing(void **state)
{
	struct cdbmaker m;
	struct err e;

	(void)state;
	assert_true(cdbmaker_start(&m, dirfd_of_test, "never.cdb", "never.tmp", 0644, &e));
	assert_true(cdbmaker_add(&m, STR("a"), STR("b"), &e));
	cdbmaker_cancel(&m);
	assert_int_equal(faccessat(dirfd_of_test, "never.tmp", F_OK, 0), -1);
	assert_int_equal(faccessat(dirfd_of_test, "never.cdb", F_OK, 0), -1);
	assert_false(cdbmaker_start(&m, dirfd_of_test, "no/such.cdb", "no/such.tmp", 0644, &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_put_in_is_found), cmocka_unit_test(a_missing_file_holds_nothing),
		cmocka_unit_test(a_change_is_noticed),      cmocka_unit_test(every_truncation_is_an_error),
		cmocka_unit_test(lost_blocks_are_errors),   cmocka_unit_test(a_damaged_file_is_a_temporary_error),
		cmocka_unit_test(giving_up_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
