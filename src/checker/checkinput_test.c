#include "checker/checkinput.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void three_fields(void **state)
{
	struct checkinput c;

	(void)state;
	assert_true(checkinput_parse(STR("joe\0a b \0<1.2@h>\0rest"), &c));
	assert_true(str_eq(c.login, STR("joe")) && str_eq(c.password, STR("a b ")));
	assert_true(str_eq(c.timestamp, STR("<1.2@h>")));
}

static void the_third_is_not_required(void **state)
{
	struct checkinput c;

	(void)state;
	assert_true(checkinput_parse(STR("joe\0x\0"), &c));
	assert_int_equal(c.timestamp.n, 0);
	assert_true(checkinput_parse(STR("joe\0x\0unended"), &c));
	assert_int_equal(c.timestamp.n, 0);
	assert_true(checkinput_parse(STR("\0\0"), &c));
	assert_true(c.login.n == 0 && c.password.n == 0);
}

static void less_is_broken(void **state)
{
	struct checkinput c;

	(void)state;
	assert_false(checkinput_parse(STR(""), &c));
	assert_false(checkinput_parse(STR("joe"), &c));
	assert_false(checkinput_parse(STR("joe\0x"), &c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_fields),
		cmocka_unit_test(the_third_is_not_required),
		cmocka_unit_test(less_is_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
