#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "netrules/rulelookup.h"

static bool keep(void *ctx, struct str key)
{
	/* Blocks are many; their first and last are enough here. */
	if (key.n == 0 || (*key.p != '_' && *key.p != '^') || key.n == 1 || (*key.p == '_' && key.n == 33) ||
	    key.n == 129) {
		buf_add(ctx, key);
		buf_addc(ctx, ' ');
	}
	return true;
}

static void keys(const struct rule_client *c, const char *want)
{
	struct buf out = BUF_INIT(10000);

	rulelookup_keys(c, keep, &out);
	assert_string_equal(buf_cstr(&out), want);
	buf_free(&out);
}

static void keys_come_in_order(void **state)
{
	struct rule_client c = { .ip = STR("10.1.2.3") };

	(void)state;
	keys(&c, "10.1.2.3 10.1.2. 10.1. 10. _00001010000000010000001000000011 _  ");
	c.has_host = true;
	c.host = STR("h.b.c");
	keys(&c, "10.1.2.3 =h.b.c 10.1.2. 10.1. 10. _00001010000000010000001000000011 _ =.b.c =.c =  ");
	c.has_info = true;
	keys(&c,
	     "@10.1.2.3 @=h.b.c 10.1.2.3 =h.b.c 10.1.2. 10.1. 10. _00001010000000010000001000000011 _ =.b.c =.c =  ");
	c = (struct rule_client){ .ip = STR("::1"), .has_info = true, .info = STR("u") };
	keys(&c, "u@::1 ::1 ^0000000000000000000000000000000000000000000000000000000000000000"
		 "0000000000000000000000000000000000000000000000000000000000000001 ^  ");
	c = (struct rule_client){ .ip = STR("") };
	keys(&c, "  ");
}

static void values_are_read_item_by_item(void **state)
{
	struct str value = STR("D\0+A=b\0?x\0+C=\0\0+cut"), assignment;

	(void)state;
	assert_int_equal(rulelookup_next(&value, &assignment), RULE_DENY);
	assert_int_equal(rulelookup_next(&value, &assignment), RULE_SET);
	assert_true(str_eq(assignment, STR("A=b")));
	assert_int_equal(rulelookup_next(&value, &assignment), RULE_SET);
	assert_true(str_eq(assignment, STR("C=")));
	assert_int_equal(rulelookup_next(&value, &assignment), RULE_END);
	value = STR("");
	assert_int_equal(rulelookup_next(&value, &assignment), RULE_END);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_come_in_order),
		cmocka_unit_test(values_are_read_item_by_item),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
