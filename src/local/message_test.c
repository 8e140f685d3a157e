#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "local/message.h"

static struct message m;

static int of_size(size_t n)
{
	int fd = memfd_create("message", MFD_CLOEXEC);
	char *text = malloc(n + 1);

	for (size_t i = 0; i < n; i++)
		text[i] = (char)(i * 31 + i / 251);
	assert_int_equal(write(fd, text, n), n);
	free(text);
	return fd;
}

static void blocks_make_the_whole(void **state)
{
	static const size_t sizes[] = { 0, 1, 4096, MESSAGE_BLOCK - 1, MESSAGE_BLOCK, MESSAGE_BLOCK + 1, 300000 };

	(void)state;
	for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
		int fd = of_size(sizes[k]);
		uint64_t at = 0;
		struct str block;
		struct err e;

		assert_true(message_open(&m, fd, &e));
		while (message_block(&m, at, &block, &e) && block.n) {
			for (size_t i = 0; i < block.n; i++)
				assert_int_equal(block.p[i], (char)((at + i) * 31 + (at + i) / 251));
			at += block.n;
		}
		assert_int_equal(at, sizes[k]);
		close(fd);
	}
}

static void prefix_and_first_block_are_one_piece(void **state)
{
	int fd = of_size(100);
	struct str piece;
	uint64_t next;
	struct err e;

	(void)state;
	assert_true(message_open(&m, fd, &e));
	assert_true(message_first(&m, STR("Prefix: x\n"), &piece, &next, &e));
	assert_int_equal(piece.n, 110);
	assert_memory_equal(piece.p, "Prefix: x\n", 10);
	assert_int_equal(next, 100);
	/* A second delivery of the same message gets the same. */
	assert_true(message_first(&m, STR("P"), &piece, &next, &e));
	assert_int_equal(piece.n, 101);
	assert_int_equal(piece.p[2], 31);
	close(fd);
}

static void a_shrinking_file_is_an_error(void **state)
{
	int fd = of_size(100000);
	struct str block;
	struct err e;

	(void)state;
	assert_true(message_open(&m, fd, &e));
	assert_int_equal(ftruncate(fd, 1000), 0);
	assert_false(message_block(&m, 0, &block, &e));
	assert_int_equal(e.kind, ERR_TEMPORARY);
	assert_string_equal(e.text, "Unable to read message: input/output error. (#4.3.0)");
	close(fd);
}

static void a_pipe_cannot_be_delivered(void **state)
{
	int fds[2];
	struct err e;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_false(message_open(&m, fds[0], &e));
	assert_string_equal(e.text, "Unable to rewind message. (#4.3.0)");
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_make_the_whole),
		cmocka_unit_test(prefix_and_first_block_are_one_piece),
		cmocka_unit_test(a_shrinking_file_is_an_error),
		cmocka_unit_test(a_pipe_cannot_be_delivered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
