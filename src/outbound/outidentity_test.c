#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "outbound/outidentity.h"
#include "sys/home.h"
#include "testing/testplace.h"

static int set_up(void **state)
{
	testplace_begin_home(state);
	testplace_putz("control/me", "me.test\n");
	return 0;
}

static bool load(struct outidentities *all, const char *addresses, const char *domains)
{
	struct err e;

	testplace_putz("control/outgoingip", addresses);
	testplace_putz("control/outgoingips", domains);
	return outidentities_load(all, &e);
}

static void expect(const struct outidentities *all, const char *sender, const char *want)
{
	const struct outidentity *who = outidentities_find(all, str_of(sender));
	char text[2][PEERADDRESS_TEXT_MAX] = { "-", "-" }, got[1000];

	for (int v6 = 0; v6 < 2; v6++)
		if (who->has_address[v6])
			peeraddress_text(&who->address[v6], text[v6]);
	snprintf(got, sizeof got, "%s %.*s %s %.*s", text[0], STR_ARG(who->helo[0]), text[1], STR_ARG(who->helo[1]));
	assert_string_equal(got, want);
}

static void test_who_we_are(void **state)
{
	struct outidentities all;

	(void)state;
	assert_true(load(&all, "", ""));
	expect(&all, "a@b.test", "- me.test - me.test");
	outidentities_free(&all);

	assert_true(load(&all, "192.0.2.1\n192.0.2.2 two.test\n2001:db8::1 [192.0.2.9]\n",
			 "one.test:192.0.2.2\nown.test:192.0.2.2\town.test \n.sub.test:2001:db8::7 192.0.2.7\n"
			 "name.test:n.test\nkeep.test:\n"));
	expect(&all, "", "192.0.2.1 me.test 2001:db8::1 [192.0.2.9]");
	expect(&all, "a@One.Test", "192.0.2.2 two.test 2001:db8::1 [192.0.2.9]");
	expect(&all, "a@own.test", "192.0.2.2 own.test 2001:db8::1 own.test");
	expect(&all, "a@x.sub.test", "192.0.2.7 me.test 2001:db8::7 me.test");
	expect(&all, "a@name.test", "192.0.2.1 n.test 2001:db8::1 n.test");
	expect(&all, "a@one.test@keep.test", "192.0.2.1 me.test 2001:db8::1 [192.0.2.9]");
	outidentities_free(&all);

	assert_true(load(&all, "", ":192.0.2.3\none.test:192.0.2.4\n"));
	expect(&all, "a@b.test", "192.0.2.3 me.test - me.test");
	expect(&all, "a@one.test", "192.0.2.4 me.test - me.test");
	expect(&all, "", "192.0.2.3 me.test - me.test");
	outidentities_free(&all);
}

static void test_lines_that_make_no_sense(void **state)
{
	static const char *const addresses[] = { "x.test\n",      "192.0.2.1 2001:db8::1\n",
						 "192.0.2.300\n", "192.0.2.1 a.test b.test\n",
						 "[192.0.2.1]\n", "192.0.2.1 a\1\n" };
	static const char *const domains[] = { "a.test:192.0.2.1 192.0.2.2\n", "a.test:192.0.2.300\n", "a.test:a b\n",
					       "a.test:2001:db8::z\n", "a.test:[x]\n" };
	struct outidentities all;

	(void)state;
	for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
		assert_false(load(&all, addresses[i], ""));
		outidentities_free(&all);
	}
	for (size_t i = 0; i < sizeof domains / sizeof *domains; i++) {
		assert_false(load(&all, "", domains[i]));
		outidentities_free(&all);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_we_are),
		cmocka_unit_test(test_lines_that_make_no_sense),
	};

	return cmocka_run_group_tests(tests, set_up, testplace_end);
}
