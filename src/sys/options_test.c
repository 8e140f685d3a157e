#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sys/options.h"

static void numbers_are_leading_digits(void **state)
{
	(void)state;
	assert_int_equal(options_number("40", 100), 40);
	assert_int_equal(options_number("40x", 100), 40);
	assert_int_equal(options_number("", 100), 0);
	assert_int_equal(options_number("-1", 100), 0);
	assert_int_equal(options_number("100", 100), 100);
	assert_int_equal(options_number("101", 100), 100);
	assert_int_equal(options_number("99999999999999999999999", UINT64_MAX), UINT64_MAX);
	assert_int_equal(options_number("3", 2), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_leading_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
