#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aliases/aliasrecord.h"
#include "aliases/maillist.h"

static void compiles_lines(void **state)
{
	struct buf b = BUF_INIT(1000);
	struct err e;

	(void)state;
	assert_true(maillist_compile(STR("# c\na@b \t\n&c@d\n\n/l\n./m\n.n@o"), &b, &e));
	assert_true(str_eq(buf_str(&b), STR("&a@b\0&c@d\0/l\0./m\0.n@o\0")));
	assert_false(maillist_compile(STR("a\0b\n"), &b, &e));
	assert_string_equal(e.text, "NUL bytes are not permitted");
	assert_false(maillist_compile(STR("&\n"), &b, &e));
	buf_free(&b);
}

static void reads_items(void **state)
{
	struct str rest = STR("&a@b\0./m\0"), item;

	(void)state;
	assert_int_equal(maillist_next(&rest, &item), MAILLIST_ITEM);
	assert_true(str_eq(item, STR("&a@b")));
	assert_int_equal(maillist_next(&rest, &item), MAILLIST_ITEM);
	assert_true(str_eq(item, STR("./m")));
	assert_int_equal(maillist_next(&rest, &item), MAILLIST_END);
}

static void refuses_what_is_no_list(void **state)
{
	struct str bad[] = { STR("&a@b"), STR("|rm\0"), STR("\0"), STR("a@b\0") };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct str item;

		/* STR counts the literal's explicit NUL. */
		assert_int_equal(maillist_next(&bad[i], &item), MAILLIST_BAD);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compiles_lines),
		cmocka_unit_test(reads_items),
		cmocka_unit_test(refuses_what_is_no_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
