#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "inject/rewrite.h"

static struct rewrite_rules rules;

static int set_up(void **state)
{
	struct err e;

	(void)state;
	return rewrite_init(&rules, STR("a.test"), STR("test"), STR("plus.test"), &e) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	rewrite_free(&rules);
	return 0;
}

/* Tokens of the field form, rewritten, as an envelope address. */
static void field(const char *text, const char *expected)
{
	struct token_list t = { 0 };
	struct buf out = BUF_INIT(1000);

	assert_true(tokens_scan(&t, str_of(text)));
	rewrite_address(&rules, &t);
	tokens_add_plain(&out, t.t, t.n);
	assert_string_equal(buf_cstr(&out), expected);
	tokens_free(&t);
	buf_free(&out);
}

static void addresses_are_qualified(void **state)
{
	(void)state;
	field("", "");
	field("a", "a@a.test");
	field("a.b", "a.b@a.test");
	field("a@b", "a@b.test");
	field("a@b.c", "a@b.c");
	field("a.b@c", "a.b@c.test");
	field("a@b+", "a@b.plus.test");
	field("a@b.c+", "a@b.c.plus.test");
	field("a+@b", "a+@b.test");
	field("a@b.c.", "a@b.c");
	field("a@b.c..", "a@b.c.");
	field("a@", "a@a.test");
	field("a@.", "a@a.test");
	field(".", "");
	field("@", "");
	field("a@[1.2.3.4]", "a@[1.2.3.4]");
	field("a@[]", "a@[]");
	field("a-@b-@[]", "a-@b-@[]");
	field("@r1,@r2:z@h", "z@h.test");
	field("@r1:", "");
	field("@r1", "");
	field("a@b@c", "a@b@c.test");
	field("\"a b\"@c", "a b@c.test");
}

static void the_default_host_is_completed_too(void **state)
{
	struct rewrite_rules r;
	struct token_list t = { 0 };
	struct buf out = BUF_INIT(1000);
	struct err e;

	(void)state;
	assert_true(rewrite_init(&r, STR("h"), STR("d.test"), STR("p.test"), &e));
	assert_true(tokens_scan(&t, STR("a")));
	rewrite_address(&r, &t);
	tokens_add_plain(&out, t.t, t.n);
	assert_string_equal(buf_cstr(&out), "a@h.d.test");
	tokens_free(&t);
	buf_free(&out);
	rewrite_free(&r);
}

static void plain(const char *text, const char *expected)
{
	struct buf out = BUF_INIT(1000);
	struct err e;

	assert_true(rewrite_plain(&rules, str_of(text), &out, &e));
	assert_string_equal(buf_cstr(&out), expected);
	buf_free(&out);
}

static void arguments_may_hold_any_bytes(void **state)
{
	struct buf out = BUF_INIT(1000);
	struct err e;

	(void)state;
	plain("", "");
	plain("a", "a@a.test");
	plain("a b, c@d", "a b, c@d.test");
	plain("\"q\"@h", "\"q\"@h.test");
	plain("a@b@c", "a@b@c.test");
	plain("#@[]", "#@[]");
	plain("l-@h-@[]", "l-@h-@[]");
	assert_false(rewrite_plain(&rules, STR("a@b(c"), &out, &e));
	assert_string_equal(e.text, "unable to parse address: a@b(c");
	assert_int_equal(e.kind, ERR_PERMANENT);
	buf_free(&out);
}

static void impossible_defaults_are_refused(void **state)
{
	struct rewrite_rules r;
	struct err e;

	(void)state;
	assert_false(rewrite_init(&r, STR("a(b"), STR("test"), STR("plus.test"), &e));
	assert_string_equal(e.text, "the defaulthost cannot be part of an address: a(b");
	rewrite_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_qualified),
		cmocka_unit_test(the_default_host_is_completed_too),
		cmocka_unit_test(arguments_may_hold_any_bytes),
		cmocka_unit_test(impossible_defaults_are_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
