#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "linelog/linepattern.h"

static void match(const char *pattern, const char *line)
{
	if (!linepattern_match(str_of(pattern), str_of(line)))
		fail_msg("%s does not match %s", pattern, line);
}

static void differ(const char *pattern, const char *line)
{
	if (linepattern_match(str_of(pattern), str_of(line)))
		fail_msg("%s matches %s", pattern, line);
}

static void stars_take_the_shortest(void **state)
{
	(void)state;
	match("*", "");
	match("*", "abc");
	match("", "");
	differ("", "a");
	match("a*", "a");
	match("*b", "aab");
	differ("*b", "abab");
	differ("*ab", "aab");
	match("*: fatal: *", "multilog: fatal: x");
	differ("*: fatal: *", "a: b: fatal: x");
	differ("a*b", "a");
	differ("abc", "ab");
}

static void two_stars_want_a_star(void **state)
{
	(void)state;
	differ("**", "abc");
	match("**", "ab*c");
	match("**", "*");
	match("**b", "a*ab");
	differ("**b", "a*");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stars_take_the_shortest),
		cmocka_unit_test(two_stars_want_a_star),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
