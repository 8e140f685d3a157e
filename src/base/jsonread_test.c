#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/jsonread.h"

static void check(const char *object, const char *key, const char *expected)
{
	struct buf out = BUF_INIT(1000);
	bool found = json_member(str_of(object), key, &out);

	if (expected == NULL)
		assert_false(found);
	else if (!found)
		fail_msg("%s has no %s", object, key);
	else
		assert_string_equal(buf_cstr(&out), expected);
	buf_free(&out);
}

static void members_are_found(void **state)
{
	const char *o =
	    "{ \"a\":1, \"b\" : \"x\\n\\\"\\u00e4\\u20ac\",\"c\":{\"a\":\"}\"},\"d\":[1,\"]\",[2]],\"e\":true}";

	(void)state;
	check(o, "a", "1");
	check(o, "b", "x\n\"\xc3\xa4\xe2\x82\xac");
	check(o, "e", "true");
	check(o, "f", NULL);
	check("{}", "a", NULL);
}

static void nonsense_is_not(void **state)
{
	(void)state;
	check("", "a", NULL);
	check("{\"a\"", "a", NULL);
	check("{\"a\":\"x", "a", NULL);
	check("{\"a\":\"\\x\"}", "a", NULL);
	check("{\"a\":\"\\u12\"}", "a", NULL);
	check("[\"a\"]", "a", NULL);
	check("{\"b\":\"\\", "a", NULL);
}

static void what_is_written_is_read(void **state)
{
	struct buf b = BUF_INIT(1000), out = BUF_INIT(1000);
	struct str s = STR("a\"\\\n\t\r\1\177\xc3\xa4 /");

	(void)state;
	buf_addc(&b, '{');
	json_str(&b, "x", s);
	buf_addc(&b, '}');
	assert_true(json_member(buf_str(&b), "x", &out));
	assert_true(str_eq(buf_str(&out), s));
	buf_free(&b);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_found),
		cmocka_unit_test(nonsense_is_not),
		cmocka_unit_test(what_is_written_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
