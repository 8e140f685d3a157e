#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "inject/field.h"

static void every_row_is_found_by_its_name(void **state)
{
	(void)state;
	for (int f = FIELD_OTHER + 1; f < FIELD_COUNT; f++) {
		const struct field_traits *traits = field_traits((enum field)f);

		assert_true(traits->name.n > 0);
		assert_int_equal(field_find(traits->name), f);
		assert_int_equal(traits->resent, str_starts(traits->name, STR("Resent-")));
	}
}

static void names_ignore_case(void **state)
{
	(void)state;
	assert_int_equal(field_find(STR("MESSAGE-id")), FIELD_MESSAGE_ID);
	assert_int_equal(field_find(STR("to")), FIELD_TO);
	assert_int_equal(field_find(STR("")), FIELD_OTHER);
	assert_int_equal(field_find(STR("Subject")), FIELD_OTHER);
	assert_int_equal(field_find(STR("Tox")), FIELD_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_found_by_its_name),
		cmocka_unit_test(names_ignore_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
