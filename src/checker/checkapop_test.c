#include "checker/checkapop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static bool matches(const char *digest, const char *challenge, const char *secret)
{
	const struct checkinput c = { STR("joe"), str_of(digest), str_of(challenge) };

	return checkapop_matches(&c, str_of(secret));
}

static void the_examples_of_the_rfcs(void **state)
{
	(void)state;
	/* RFC 1939 §7 */
	assert_true(matches("c4c9334bac560ecc979e58001b3e22fb", "<1896.697170952@dbc.mtview.ca.us>", "tanstaaf"));
	assert_true(matches("C4C9334BAC560ECC979E58001B3E22FB", "<1896.697170952@dbc.mtview.ca.us>", "tanstaaf"));
	/* RFC 2195 §2 */
	assert_true(matches("b913a602c7eda7a495b4e6e7334d3890", "<1896.697170952@postoffice.reston.mci.net>",
			    "tanstaaftanstaaf"));
}

static void nothing_else_proves_anything(void **state)
{
	(void)state;
	assert_false(matches("c4c9334bac560ecc979e58001b3e22fb", "<1896.697170952@dbc.mtview.ca.us>", "tanstaag"));
	assert_false(matches("c4c9334bac560ecc979e58001b3e22fb", "<1896.697170953@dbc.mtview.ca.us>", "tanstaaf"));
	assert_false(matches("c4c9334bac560ecc979e58001b3e22fa", "<1896.697170952@dbc.mtview.ca.us>", "tanstaaf"));
	assert_false(matches("c4c9334bac560ecc979e58001b3e22f", "<1896.697170952@dbc.mtview.ca.us>", "tanstaaf"));
	assert_false(matches("d41d8cd98f00b204e9800998ecf8427e", "", ""));
	assert_false(matches("", "<x>", "tanstaaf"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_examples_of_the_rfcs),
		cmocka_unit_test(nothing_else_proves_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
