/*
 * Cuts the power at every operation of Maildir deliveries and checks: what
 * was reported as delivered is in new/, and nothing in new/ is incomplete.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/mman.h>
#include <unistd.h>

#include "local/maildir.h"
#include "simdisk/simdisk.h"
#include "sys/file.h"

#define MESSAGES 3
#define SEEDS 8
#define HEADER STR("Return-Path: <>\n")

/* Which way the file system forces a delivery to go. */
enum way { UNNAMED, NAMED };

static struct message message; /* too large for a stack */

static void make_maildir(void)
{
	int root;

	simdisk_format();
	assert_int_equal(file_make_dir(AT_FDCWD, "m", 0700), 0);
	assert_int_equal(file_make_dir(AT_FDCWD, "m/new", 0700), 0);
	assert_int_equal(file_make_dir(AT_FDCWD, "m/tmp", 0700), 0);
	root = file_open_dir(AT_FDCWD, "m");
	assert_int_equal(file_sync_dir(root), 0);
	file_close(root);
	root = file_open_dir(AT_FDCWD, "/");
	assert_int_equal(file_sync_dir(root), 0);
	file_close(root);
}

/* Message i is this many bytes of its own letter: several sectors, one of them larger than a block. */
static size_t size_of(int i)
{
	return i == 1 ? MESSAGE_BLOCK + 700 : 1300;
}

static int make_message(int i)
{
	static char text[MESSAGE_BLOCK + 700];
	int fd = memfd_create("message", MFD_CLOEXEC);

	memset(text, 'a' + i, sizeof text);
	assert_int_equal(write(fd, text, size_of(i)), size_of(i));
	return fd;
}

/* Delivers all; a bit for each that was reported as delivered. */
static unsigned deliver_all(enum way way)
{
	unsigned delivered = 0;

	for (int i = 0; i < MESSAGES; i++) {
		struct err e;
		int fd = make_message(i);

		if (way != UNNAMED && !simdisk_crashed())
			simdisk_fail(SIMDISK_CREATE, 1, 1, EOPNOTSUPP);
		assert_true(message_open(&message, fd, &e));
		if (maildir_deliver("m/", HEADER, &message, &e))
			delivered |= 1u << i;
		else
			assert_int_equal(e.kind, ERR_TEMPORARY);
		close(fd);
	}
	return delivered;
}

static bool check_file(void *ctx, const char *name)
{
	static char text[MESSAGE_BLOCK + 2000];
	unsigned *found = ctx;
	int dir = file_open_dir(AT_FDCWD, "m/new"), fd = file_open(dir, name, O_RDONLY, 0), i;
	ssize_t n = file_read_at(fd, text, sizeof text, 0);

	assert_true(n > (ssize_t)HEADER.n);
	assert_memory_equal(text, HEADER.p, HEADER.n);
	i = text[HEADER.n] - 'a';
	assert_in_range(i, 0, MESSAGES - 1);
	assert_int_equal(n, HEADER.n + size_of(i));
	for (ssize_t k = (ssize_t)HEADER.n; k < n; k++)
		assert_int_equal(text[k], 'a' + i);
	assert_false(*found & 1u << i);
	*found |= 1u << i;
	file_close(fd);
	file_close(dir);
	return true;
}

static unsigned check_new(void)
{
	unsigned found = 0;
	int dir = file_open_dir(AT_FDCWD, "m/new");

	assert_int_not_equal(dir, -1);
	assert_int_equal(file_list(dir, check_file, &found), 0);
	file_close(dir);
	return found;
}

static void crash_everywhere(enum way way)
{
	uint64_t total;

	make_maildir();
	total = simdisk_operations();
	assert_int_equal(deliver_all(way), (1u << MESSAGES) - 1);
	total = simdisk_operations() - total;
	assert_true(total >= 5 * MESSAGES);
	for (uint64_t n = 1; n <= total; n++) {
		for (uint64_t seed = 0; seed < SEEDS; seed++) {
			unsigned delivered, found;

			make_maildir();
			simdisk_crash_at(n);
			delivered = deliver_all(way);
			assert_true(simdisk_crashed());
			simdisk_boot(seed == 0   ? SIMDISK_KEEP_NONE
				     : seed == 1 ? SIMDISK_KEEP_ALL
						 : SIMDISK_KEEP_SOME,
				     seed);
			found = check_new();
			assert_int_equal(found & delivered, delivered);
		}
	}
}

static void power_cut_without_a_name(void **state)
{
	(void)state;
	crash_everywhere(UNNAMED);
}

static void power_cut_with_a_name_in_tmp(void **state)
{
	(void)state;
	crash_everywhere(NAMED);
}

/* Every call fails once, with every error: a temporary failure, nothing visible, nothing left open. */
static void every_call_may_fail(void **state)
{
	static const int errors[] = { ENOSPC, EIO, EDQUOT, EROFS };

	(void)state;
	for (enum way way = UNNAMED; way <= NAMED; way++) {
		for (uint64_t nth = 1; nth < 12; nth++) {
			for (size_t k = 0; k < 4; k++) {
				int fd = make_message(0);
				bool ok;
				struct err e;

				make_maildir();
				simdisk_fail(SIMDISK_ANY, nth, way == UNNAMED ? 1 : 1000, errors[k]);
				assert_true(message_open(&message, fd, &e));
				ok = maildir_deliver("m/", HEADER, &message, &e);
				simdisk_fail(0, 0, 0, 0);
				assert_int_equal(simdisk_open_count(), 0);
				if (way == UNNAMED)
					assert_int_equal(check_new(), ok ? 1 : 0);
				close(fd);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(power_cut_without_a_name),
		cmocka_unit_test(power_cut_with_a_name_in_tmp),
		cmocka_unit_test(every_call_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
