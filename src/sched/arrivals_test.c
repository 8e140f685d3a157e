#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sched/arrivals.h"

static void a_flood_begins_and_ends(void **state)
{
	struct arrivals a = { .since = 1000 };

	(void)state;
	a.count = ARRIVALS_FLOOD - 1;
	assert_true(arrivals_look(&a, 1000 + ARRIVALS_MS));
	assert_false(a.flood);
	a.count = ARRIVALS_FLOOD;
	assert_false(arrivals_look(&a, 1000 + 2 * ARRIVALS_MS - 1));
	assert_false(a.flood);
	assert_true(arrivals_look(&a, 1000 + 2 * ARRIVALS_MS));
	assert_true(a.flood);
	assert_int_equal(a.count, 0);
	assert_true(arrivals_look(&a, 1000 + 3 * ARRIVALS_MS));
	assert_false(a.flood);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_flood_begins_and_ends) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
