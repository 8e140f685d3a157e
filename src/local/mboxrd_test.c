#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "local/mboxrd.h"

/* Cut at every place, the result must be the same. */
static void quoted(const char *text, const char *expected)
{
	struct str input = str_of(text);

	for (size_t cut = 0; cut <= input.n; cut++) {
		struct mboxrd m = { .inside = false };
		struct buf b = BUF_INIT(1000);

		mboxrd_add(&m, str_head(input, cut), &b);
		mboxrd_add(&m, str_from(input, cut), &b);
		mboxrd_finish(&m, &b);
		assert_string_equal(buf_cstr(&b), expected);
		buf_free(&b);
	}
}

static void from_lines_are_quoted(void **state)
{
	(void)state;
	quoted("a\nFrom x\n>From y\n>>From z\n", "a\n>From x\n>>From y\n>>>From z\n\n");
	quoted("From first\n", ">From first\n\n");
	quoted("From ", ">From \n\n");
	quoted("From\nFromm x\n> From\n>>Fro\n from \nx From y\n",
	       "From\nFromm x\n> From\n>>Fro\n from \nx From y\n\n");
	quoted("FFrom x\n>F\n", "FFrom x\n>F\n\n");
}

static void the_end_is_an_empty_line(void **state)
{
	(void)state;
	quoted("", "\n");
	quoted("\n", "\n\n");
	quoted("x", "x\n\n");
	quoted("x\n\n", "x\n\n\n");
	quoted("x\nFro", "x\nFro\n\n");
	quoted("x\n>>", "x\n>>\n\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_lines_are_quoted),
		cmocka_unit_test(the_end_is_an_empty_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
