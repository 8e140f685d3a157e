#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "supervision/vardir.h"

static void check(struct str content, const char *want)
{
	struct buf value = BUF_INIT(100);

	if (want) {
		assert_true(vardir_value(content, &value));
		assert_string_equal(buf_cstr(&value), want);
	} else {
		assert_false(vardir_value(content, &value));
	}
	buf_free(&value);
}

static void files_are_values(void **state)
{
	(void)state;
	check(STR("v1 \t\nsecond"), "v1");
	check(STR(""), NULL);
	check(STR("a\0b"), "a\nb");
	check(STR("\n"), "");
	check(STR(" \t"), "");
	check(STR(" a b"), " a b");
	check(STR("a\0\n"), "a\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(files_are_values) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
