#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "local/loopcheck.h"

static void looping(const char *text, bool expected)
{
	struct str input = str_of(text);

	for (size_t cut = 0; cut <= input.n; cut++) {
		struct loopcheck c = loopcheck_begin(STR("Delivered-To: a@b\n"));

		loopcheck_feed(&c, str_head(input, cut));
		loopcheck_feed(&c, str_from(input, cut));
		assert_int_equal(c.looping, expected);
	}
}

static void whole_header_lines_count(void **state)
{
	(void)state;
	looping("Delivered-To: a@b\n\nx\n", true);
	looping("X: y\nDelivered-To: a@b\nZ: z\n", true);
	looping("X: y\nDelivered-To: a@b\n", true);
	looping("Delivered-To: a@bc\n\n", false);
	looping("Delivered-To: a@b \n\n", false);
	looping("delivered-to: a@b\n\n", false);
	looping(" Delivered-To: a@b\n\n", false);
	looping("Delivered-To: a@\nb\n\n", false);
}

static void the_body_does_not_count(void **state)
{
	(void)state;
	looping("X: y\n\nDelivered-To: a@b\n", false);
	looping("\nDelivered-To: a@b\n", false);
	looping("Delivered-To: a@b", false);
	looping("", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_header_lines_count),
		cmocka_unit_test(the_body_does_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
