#include "pop3/poptext.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pop3/popline.h"

/* Whatever the pieces, the result is the same; sizes agree where no dot is doubled. */
static void becomes(struct poptext start, const char *message, const char *sent)
{
	size_t n = strlen(message);

	for (size_t cut = 0; cut <= n; cut++) {
		struct poptext t = start;
		struct buf out = BUF_INIT(10000);

		poptext_add(&t, str_head(str_of(message), cut), &out);
		poptext_add(&t, str_from(str_of(message), cut), &out);
		poptext_end(&t, &out);
		assert_string_equal(buf_cstr(&out), sent);
		buf_free(&out);
	}
}

static void has_size(const char *message, uint64_t size)
{
	for (size_t cut = 0; cut <= strlen(message); cut++) {
		struct popsize s = { 0 };

		popsize_add(&s, str_head(str_of(message), cut));
		popsize_add(&s, str_from(str_of(message), cut));
		assert_int_equal(popsize_end(&s), size);
	}
}

static void lines_end_with_cr_lf(void **state)
{
	(void)state;
	becomes(poptext_all(), "a: b\n\nx\n", "a: b\r\n\r\nx\r\n.\r\n");
	becomes(poptext_all(), "a: b\r\n\r\nx\r\n", "a: b\r\n\r\nx\r\n.\r\n");
	becomes(poptext_all(), "a\rb\r\r\n", "a\rb\r\r\n.\r\n");
	becomes(poptext_all(), "", ".\r\n");
	becomes(poptext_all(), "\n", "\r\n.\r\n");
}

static void the_last_line_gets_an_end(void **state)
{
	(void)state;
	becomes(poptext_all(), "a\n\nx", "a\r\n\r\nx\r\n.\r\n");
	becomes(poptext_all(), "a\r", "a\r\r\n.\r\n");
}

static void dots_are_doubled(void **state)
{
	(void)state;
	becomes(poptext_all(), ".\n..\n.x\na.\n", "..\r\n...\r\n..x\r\na.\r\n.\r\n");
	becomes(poptext_all(), ".", "..\r\n.\r\n");
	becomes(poptext_all(), "\r.\n", "\r.\r\n.\r\n");
}

static void top_ends_after_its_lines(void **state)
{
	(void)state;
	becomes(poptext_top(0), "a\nb\n\nx\ny\n", "a\r\nb\r\n\r\n.\r\n");
	becomes(poptext_top(1), "a\n\nx\ny\n", "a\r\n\r\nx\r\n.\r\n");
	becomes(poptext_top(2), "a\n\n\nx\ny\n", "a\r\n\r\n\r\nx\r\n.\r\n");
	becomes(poptext_top(9), "a\n\nx", "a\r\n\r\nx\r\n.\r\n");
	becomes(poptext_top(0), "a\nb", "a\r\nb\r\n.\r\n");
	becomes(poptext_top(0), "\nx\n", "\r\n.\r\n");
}

static void sizes_are_what_is_sent(void **state)
{
	(void)state;
	has_size("a\n\nx\n", 8);
	has_size("a\r\n\r\nx\r\n", 8);
	has_size("a\n\nx", 8);
	has_size("", 0);
	has_size("a\r\r\n", 4);
}

static struct str next(struct popline *l, const char *input)
{
	struct str in = str_of(input), line = STR("none");

	assert_true(popline_next(l, &in, &line));
	return line;
}

static void commands_are_lines(void **state)
{
	static struct popline l;
	struct popcommand c;
	struct str in, line, argument = STR("007  5x");
	char much[POPLINE_MAX + 10];
	uint64_t v;

	(void)state;
	c = popcommand_parse(next(&l, "pass  p w \r\n"));
	assert_true(popcommand_is(&c, "PASS") && str_eq(c.argument, STR("p w ")));
	c = popcommand_parse(next(&l, "QUIT\n"));
	assert_true(popcommand_is(&c, "QUIT") && c.argument.n == 0);
	in = STR("NO");
	assert_false(popline_next(&l, &in, &line));
	assert_true(str_eq(next(&l, "OP\r\r\n"), STR("NOOP\r")));
	memset(much, 'x', sizeof much);
	much[sizeof much - 1] = '\n';
	in = (struct str){ much, sizeof much };
	assert_true(popline_next(&l, &in, &line));
	assert_int_equal(line.n, 0);
	assert_true(str_eq(next(&l, "STAT\n"), STR("STAT")));
	assert_true(popcommand_number(&argument, &v) && v == 7);
	assert_true(popcommand_number(&argument, &v) && v == 5);
	assert_false(popcommand_number(&argument, &v));
	argument = STR("99999999999999999999");
	assert_false(popcommand_number(&argument, &v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_end_with_cr_lf),   cmocka_unit_test(the_last_line_gets_an_end),
		cmocka_unit_test(dots_are_doubled),       cmocka_unit_test(top_ends_after_its_lines),
		cmocka_unit_test(sizes_are_what_is_sent), cmocka_unit_test(commands_are_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
