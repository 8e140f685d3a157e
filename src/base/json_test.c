#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"

static void check(struct str s, const char *expected)
{
	struct buf b = BUF_INIT(1000);

	json_put(&b, s);
	assert_string_equal(buf_cstr(&b), expected);
	buf_free(&b);
}

static void strings_are_escaped(void **state)
{
	(void)state;
	check(STR(""), "\"\"");
	check(STR("joe@x.test"), "\"joe@x.test\"");
	check(STR("a\"b\\c\n\t\r\0\177"), "\"a\\\"b\\\\c\\n\\t\\u000d\\u0000\\u007f\"");
}

/* Every output is UTF-8, whatever the input is. */
static void only_utf8_comes_out(void **state)
{
	(void)state;
	check(STR("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
	check(STR("\xe4x"), "\"\xef\xbf\xbdx\"");
	check(STR("\xc0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
	check(STR("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	check(STR("\xf4\x90\x80\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	check(STR("a\xe2\x82"), "\"a\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void members_are_separated(void **state)
{
	struct buf b = BUF_INIT(1000);

	(void)state;
	buf_addc(&b, '{');
	json_u64(&b, "id", 7);
	json_bool(&b, "held", true);
	json_str(&b, "sender", STR("x"));
	json_key(&b, "list");
	buf_addz(&b, "[{");
	json_time(&b, "at", 1795255563);
	buf_addz(&b, "}]}");
	assert_string_equal(buf_cstr(&b),
			    "{\"id\":7,\"held\":true,\"sender\":\"x\",\"list\":[{\"at\":\"2026-11-21T10:06:03Z\"}]}");
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_are_escaped),
		cmocka_unit_test(only_utf8_comes_out),
		cmocka_unit_test(members_are_separated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
