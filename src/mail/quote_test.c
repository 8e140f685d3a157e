#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mail/quote.h"

static void quoted(const char *address, const char *expected)
{
	struct buf b = BUF_INIT(1000);

	quote_address(&b, str_of(address));
	assert_string_equal(buf_cstr(&b), expected);
	buf_free(&b);
}

static void local_parts_are_quoted_where_needed(void **state)
{
	(void)state;
	quoted("", "");
	quoted("a@b", "a@b");
	quoted("a.b+c=d!#$%&'*-/?^_`{|}~@b", "a.b+c=d!#$%&'*-/?^_`{|}~@b");
	quoted("@b", "\"\"@b");
	quoted(".a@b", "\".a\"@b");
	quoted("a.@b", "\"a.\"@b");
	quoted("a..b@c", "\"a..b\"@c");
	quoted("a b@h.test", "\"a b\"@h.test");
	quoted("a@b@c", "\"a@b\"@c");
	quoted("noat", "noat");
	quoted("no at", "\"no at\"");
	quoted("\"q q\"@h.test", "\"\\\"q q\\\"\"@h.test");
	quoted("a\\b\r\nc\td@h", "\"a\\\\b\\\r\\\nc\td\"@h");
	quoted("\xe4@h", "\"\xe4\"@h");
	quoted("a\x7f@h", "\"a\x7f\"@h");
	quoted("a[b]@h", "\"a[b]\"@h");
	quoted("a@[1.2.3.4]", "a@[1.2.3.4]");
	quoted("a@b c", "a@b c");
}

static void a_nul_is_quoted(void **state)
{
	struct buf b = BUF_INIT(100);

	(void)state;
	quote_local(&b, STR("a\0b"));
	assert_true(str_eq(buf_str(&b), STR("\"a\0b\"")));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(local_parts_are_quoted_where_needed),
		cmocka_unit_test(a_nul_is_quoted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
