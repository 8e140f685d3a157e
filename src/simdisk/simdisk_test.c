#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "simdisk/simdisk.h"
#include "sys/file.h"

static int format(void **state)
{
	(void)state;
	simdisk_format();
	return 0;
}

static int release(void **state)
{
	(void)state;
	simdisk_free();
	return 0;
}

static int make(const char *name, const char *text)
{
	int fd = file_open(AT_FDCWD, name, O_RDWR | O_CREAT, 0600);

	assert_int_not_equal(fd, -1);
	assert_int_equal(file_write_at(fd, text, strlen(text), 0), 0);
	return fd;
}

static bool exists(const char *name)
{
	int fd = file_open(AT_FDCWD, name, O_RDONLY, 0);

	if (fd != -1)
		file_close(fd);
	return fd != -1;
}

static bool reads(const char *name, const char *text)
{
	char b[100] = "";
	int fd = file_open(AT_FDCWD, name, O_RDONLY, 0);
	ssize_t n = fd == -1 ? -1 : file_read_at(fd, b, sizeof b - 1, 0);

	if (fd != -1)
		file_close(fd);
	return n >= 0 && strcmp(b, text) == 0;
}

static void a_synced_file_without_its_name_is_lost(void **state)
{
	(void)state;
	file_sync(make("a", "text"));
	simdisk_boot(SIMDISK_KEEP_NONE, 1);
	assert_false(exists("a"));
	file_sync(make("a", "text"));
	file_sync_dir(file_open_dir(AT_FDCWD, "/"));
	simdisk_boot(SIMDISK_KEEP_NONE, 1);
	assert_true(reads("a", "text"));
}

static void a_name_without_its_data_is_empty(void **state)
{
	(void)state;
	make("a", "text");
	file_sync_dir(file_open_dir(AT_FDCWD, "."));
	simdisk_boot(SIMDISK_KEEP_NONE, 1);
	assert_true(reads("a", ""));
}

static void unsynced_changes_may_all_survive(void **state)
{
	(void)state;
	make("a", "text");
	assert_int_equal(file_rename(AT_FDCWD, "a", AT_FDCWD, "b"), 0);
	simdisk_boot(SIMDISK_KEEP_ALL, 1);
	assert_false(exists("a"));
	assert_true(reads("b", "text"));
}

static void unsynced_changes_survive_one_by_one(void **state)
{
	int seen[4] = { 0 };

	(void)state;
	for (uint64_t seed = 0; seed < 64; seed++) {
		simdisk_format();
		make("a", "");
		make("b", "");
		simdisk_boot(SIMDISK_KEEP_SOME, seed);
		seen[exists("a") + 2 * exists("b")]++;
	}
	for (int i = 0; i < 4; i++)
		assert_int_not_equal(seen[i], 0);
}

static void writes_are_torn_at_sectors(void **state)
{
	char b[4 * SIMDISK_SECTOR], r[sizeof b];
	int seen[16] = { 0 };

	(void)state;
	memset(b, 'x', sizeof b);
	for (uint64_t seed = 0; seed < 200; seed++) {
		int fd, which = 0;

		simdisk_format();
		fd = make("a", "");
		file_reserve(fd, sizeof b);
		file_sync(fd);
		file_sync_dir(file_open_dir(AT_FDCWD, "/"));
		file_write_at(fd, b, sizeof b, 0);
		simdisk_boot(SIMDISK_KEEP_SOME, seed);
		fd = file_open(AT_FDCWD, "a", O_RDONLY, 0);
		assert_int_equal(file_read_at(fd, r, sizeof r, 0), sizeof r);
		for (int i = 0; i < 4; i++) {
			char *s = r + (size_t)i * SIMDISK_SECTOR;

			for (size_t k = 1; k < SIMDISK_SECTOR; k++)
				assert_int_equal(s[k], s[0]);
			which |= (s[0] == 'x') << i;
		}
		seen[which]++;
	}
	for (int i = 0; i < 16; i++)
		assert_int_not_equal(seen[i], 0);
}

static void a_failed_sync_is_not_made_good_by_the_next(void **state)
{
	int fd;

	(void)state;
	fd = make("a", "old");
	file_sync(fd);
	file_sync_dir(file_open_dir(AT_FDCWD, "/"));
	file_write_at(fd, "new", 3, 0);
	simdisk_fail(SIMDISK_SYNC, 1, 1, EIO);
	assert_int_equal(file_sync_data(fd), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(file_sync_data(fd), 0);
	assert_true(reads("a", "new"));
	simdisk_boot(SIMDISK_KEEP_NONE, 1);
	assert_true(reads("a", "old"));
}

static void a_crash_stops_everything(void **state)
{
	int fd;

	(void)state;
	fd = make("a", "one");
	simdisk_crash_at(2);
	assert_int_equal(file_write_at(fd, "two", 3, 0), 0);
	assert_false(simdisk_crashed());
	assert_int_equal(file_sync(fd), -1);
	assert_true(simdisk_crashed());
	assert_int_equal(file_sync(fd), -1);
	assert_int_equal(file_unlink(AT_FDCWD, "a"), -1);
	simdisk_boot(SIMDISK_KEEP_ALL, 1);
	assert_true(reads("a", "two"));
}

static void the_disk_can_be_full(void **state)
{
	int fd;

	(void)state;
	simdisk_set_capacity(1000);
	fd = make("a", "text");
	assert_int_equal(file_reserve(fd, 1001), -1);
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(file_reserve(fd, 1000), 0);
	assert_int_equal(file_append(make("b", ""), "x", 1), -1);
	file_close(fd);
	file_unlink(AT_FDCWD, "a");
	assert_int_equal(file_append(make("c", ""), "x", 1), 0);
}

static void an_unnamed_file_gets_a_name(void **state)
{
	int tmp, dir;

	(void)state;
	file_make_dir(AT_FDCWD, "Maildir", 0700);
	file_make_dir(AT_FDCWD, "Maildir/new", 0700);
	file_sync_dir(file_open_dir(AT_FDCWD, "/"));
	dir = file_open_dir(AT_FDCWD, "/Maildir");
	file_sync_dir(dir);
	dir = file_open_dir(dir, "new");
	tmp = file_open(AT_FDCWD, "Maildir/new", O_TMPFILE | O_WRONLY, 0600);
	file_append(tmp, "mes", 3);
	file_append(tmp, "sage", 4);
	file_sync(tmp);
	assert_int_equal(file_link_unnamed(tmp, dir, "1"), 0);
	assert_int_equal(file_link_unnamed(tmp, dir, "1"), -1);
	assert_int_equal(errno, EEXIST);
	file_sync_dir(dir);
	simdisk_boot(SIMDISK_KEEP_NONE, 1);
	assert_true(reads("Maildir/new/1", "message"));
}

static void a_saved_disk_comes_back(void **state)
{
	struct simdisk_image *image;

	(void)state;
	make("a", "text");
	image = simdisk_save();
	simdisk_boot(SIMDISK_KEEP_NONE, 1);
	assert_false(exists("a"));
	simdisk_restore(image);
	assert_true(reads("a", "text"));
	simdisk_boot(SIMDISK_KEEP_ALL, 1);
	assert_true(reads("a", "text"));
	simdisk_image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_synced_file_without_its_name_is_lost, format, release),
		cmocka_unit_test_setup_teardown(a_name_without_its_data_is_empty, format, release),
		cmocka_unit_test_setup_teardown(unsynced_changes_may_all_survive, format, release),
		cmocka_unit_test_setup_teardown(unsynced_changes_survive_one_by_one, format, release),
		cmocka_unit_test_setup_teardown(writes_are_torn_at_sectors, format, release),
		cmocka_unit_test_setup_teardown(a_failed_sync_is_not_made_good_by_the_next, format, release),
		cmocka_unit_test_setup_teardown(a_crash_stops_everything, format, release),
		cmocka_unit_test_setup_teardown(the_disk_can_be_full, format, release),
		cmocka_unit_test_setup_teardown(an_unnamed_file_gets_a_name, format, release),
		cmocka_unit_test_setup_teardown(a_saved_disk_comes_back, format, release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
