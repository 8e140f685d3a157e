#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/mem.h"
#include "smtpserver/smtpline.h"

/* What the reader makes of input that comes in pieces of `size` bytes: lines between brackets, then the result. */
static void read_all(struct str input, size_t size, struct buf *out)
{
	struct smtpline l = SMTPLINE_INIT;
	enum smtpline_result r = SMTPLINE_MORE;
	struct str line;

	while (input.n && r != SMTPLINE_BARE_LF && r != SMTPLINE_ENDLESS) {
		struct str piece = str_head(input, size);
		/* A copy, so that a view that outlives its piece shows under the sanitizer. */
		char *copy = mem_copy(piece);
		struct str rest = { copy, piece.n };

		input = str_from(input, piece.n);
		while (rest.n && r != SMTPLINE_BARE_LF && r != SMTPLINE_ENDLESS) {
			r = smtpline_next(&l, &rest, &line);
			if (r == SMTPLINE_READY) {
				buf_addc(out, '[');
				buf_add(out, line);
				buf_addc(out, ']');
			} else if (r == SMTPLINE_LONG) {
				buf_addz(out, "LONG");
			}
		}
		free(copy);
	}
	buf_addz(out, r == SMTPLINE_BARE_LF ? "LF" : r == SMTPLINE_ENDLESS ? "ENDLESS" : "");
	buf_addz(out, r < SMTPLINE_ENDLESS && smtpline_begun(&l) ? "+" : "");
	smtpline_free(&l);
}

static void check(struct str input, const char *expected)
{
	struct buf out = BUF_INIT(1 << 20);

	for (size_t size = 1; size <= input.n && size < 100; size++) {
		buf_clear(&out);
		read_all(input, size, &out);
		assert_string_equal(buf_cstr(&out), expected);
	}
	buf_free(&out);
}

static void only_crlf_ends_a_line(void **state)
{
	(void)state;
	check(STR("NOOP\r\nQUIT\r\n"), "[NOOP][QUIT]");
	check(STR("\r\n\r\n"), "[][]");
	check(STR("a\rb\r\r\nc\r\n"), "[a\rb\r][c]");
	check(STR("NOOP\nQUIT\r\n"), "LF");
	check(STR("NOOP\r\n\nQUIT\r\n"), "[NOOP]LF");
	check(STR("NOOP\r\nQU"), "[NOOP]+");
	check(STR("NOOP\r"), "+");
}

static void nul_is_an_ordinary_byte(void **state)
{
	struct smtpline l = SMTPLINE_INIT;
	struct str input = STR("a\0b\r\n"), line;

	(void)state;
	assert_int_equal(smtpline_next(&l, &input, &line), SMTPLINE_READY);
	assert_true(str_eq(line, STR("a\0b")));
	smtpline_free(&l);
}

static void long_lines_are_dropped_whole(void **state)
{
	static const size_t sizes[] = { 1, 2, 1000, SMTPLINE_MAX - 1, SMTPLINE_MAX, SMTPLINE_MAX + 1, 1 << 20 };
	struct buf input = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);

	(void)state;
	for (size_t n = SMTPLINE_MAX - 4; n < SMTPLINE_MAX + 4; n++)
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
			buf_clear(&input);
			buf_clear(&out);
			memset(buf_room(&input, n), 'x', n);
			buf_wrote(&input, n);
			buf_addz(&input, "\r\nQUIT\r\n");
			read_all(buf_str(&input), sizes[i], &out);
			if (n + 2 <= SMTPLINE_MAX)
				assert_int_equal(out.n, n + 8);
			else
				assert_string_equal(buf_cstr(&out), "LONG[QUIT]");
		}
	buf_free(&input);
	buf_free(&out);
}

static void an_endless_line_is_not_waited_for(void **state)
{
	struct buf input = BUF_INIT(4 << 20), out = BUF_INIT(1000);
	size_t n = SMTPLINE_SKIP + 100000;

	(void)state;
	memset(buf_room(&input, n), 'x', n);
	buf_wrote(&input, n);
	read_all(buf_str(&input), 4096, &out);
	assert_string_equal(buf_cstr(&out), "ENDLESS");
	buf_free(&input);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_crlf_ends_a_line),
		cmocka_unit_test(nul_is_an_ordinary_byte),
		cmocka_unit_test(long_lines_are_dropped_whole),
		cmocka_unit_test(an_endless_line_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
