#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "inject/addresses.h"

static void addresses_keep_their_bytes(void **state)
{
	struct addresses a = ADDRESSES_INIT;

	(void)state;
	addresses_add(&a, STR("a@b"));
	addresses_add(&a, STR(""));
	addresses_add(&a, STR("c\0d"));
	buf_addz(&a.text, "e");
	buf_addz(&a.text, "f");
	addresses_end(&a);
	assert_int_equal(a.n, 3);
	assert_true(str_eq(addresses_get(&a, 0), STR("a@b")));
	assert_true(str_eq(addresses_get(&a, 1), STR("c\0d")));
	assert_true(str_eq(addresses_get(&a, 2), STR("ef")));
	addresses_truncate(&a, 5);
	assert_int_equal(a.n, 3);
	addresses_truncate(&a, 1);
	addresses_add(&a, STR("g"));
	assert_int_equal(a.n, 2);
	assert_true(str_eq(addresses_get(&a, 1), STR("g")));
	addresses_free(&a);
	assert_int_equal(a.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(addresses_keep_their_bytes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
