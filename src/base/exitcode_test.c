#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/exitcode.h"

static void knows_what_is_for_good(void **state)
{
	static const int permanent[] = { 64, 65, 70, 76, 77, 78, 100, 112 };
	size_t next = 0;

	(void)state;
	for (int code = 0; code < 256; code++) {
		bool expected = next < 8 && code == permanent[next];

		assert_int_equal(exit_code_permanent(code), expected);
		next += expected;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(knows_what_is_for_good) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
