#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "route/route.h"
#include "sys/home.h"
#include "testing/testplace.h"

static struct route_tables tables;

static int setup(void **state)
{
	struct err e;

	testplace_begin_home(state);
	testplace_putz("control/me", "a.test\n");
	testplace_putz("control/percenthack", "hack.test\n");
	testplace_putz("control/locals", "a.test\nhack2.test\n");
	testplace_putz("control/virtualdomains",
		       "v.test:games-virt\nu@w.test:special\n.sub.test:subby\nexc.sub.test:\n");
	assert_true(route_load(&tables, &e));
	return 0;
}

static int teardown(void **state)
{
	route_free(&tables);
	return testplace_end(state);
}

static void routed(const char *in, enum route_channel channel, const char *want)
{
	struct buf out = BUF_INIT(2000);
	struct route r = route_address(&tables, str_of(in), &out);

	assert_int_equal(r.channel, channel);
	assert_string_equal(buf_cstr(&out), want);
	buf_free(&out);
}

/* Contract D.1 and §8.2. */
static void recipients_go_where_the_contract_says(void **state)
{
	(void)state;
	routed("games", ROUTE_LOCAL, "games@a.test");
	routed("games-foo-Bar.baz@A.test", ROUTE_LOCAL, "games-foo-Bar.baz@A.test");
	routed("virt@v.test", ROUTE_LOCAL, "games-virt-virt@v.test");
	routed("u@w.test", ROUTE_LOCAL, "special-u@w.test");
	routed("U@W.test", ROUTE_LOCAL, "special-U@W.test");
	routed("x@w.test", ROUTE_REMOTE, "x@w.test");
	routed("a@b.sub.test", ROUTE_LOCAL, "subby-a@b.sub.test");
	routed("me@sub.test", ROUTE_REMOTE, "me@sub.test");
	routed("x@exc.sub.test", ROUTE_REMOTE, "x@exc.sub.test");
	routed("a@b@c.test", ROUTE_REMOTE, "a@b@c.test");
	routed("@a.test", ROUTE_LOCAL, "@a.test");
	routed("x@", ROUTE_REMOTE, "x@");
}

static void the_percent_hack_repeats(void **state)
{
	(void)state;
	routed("u%a.test@hack.test", ROUTE_LOCAL, "u@a.test");
	routed("u%x.test%hack.test@hack.test", ROUTE_REMOTE, "u@x.test");
	routed("u%x.test@a.test", ROUTE_LOCAL, "u%x.test@a.test");
}

static void verp_names_the_recipient(void **state)
{
	struct buf out = BUF_INIT(1000);

	(void)state;
	route_verp_sender(STR("l-@h-@[]"), STR("joe-x-u@v"), &out);
	assert_string_equal(buf_cstr(&out), "l-joe-x-u=v@h");
	route_verp_sender(STR("#@[]"), STR("u@v"), &out);
	assert_string_equal(buf_cstr(&out), "#@[]");
	route_verp_sender(STR("-@[]"), STR("u@v"), &out);
	assert_string_equal(buf_cstr(&out), "-@[]");
	assert_true(str_eq(route_bounce_address(STR("l-@h-@[]")), STR("l-@h")));
	/* There the mark goes whatever is before it. */
	assert_true(str_eq(route_bounce_address(STR("joe-@[]")), STR("joe")));
	assert_true(str_eq(route_bounce_address(STR("-@[]")), STR("")));
	assert_true(str_eq(route_bounce_address(STR("#@[]")), STR("#@[]")));
	assert_true(str_eq(route_bounce_address(STR("")), STR("")));
	assert_true(str_eq(route_bounce_address(STR("x@y")), STR("x@y")));
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recipients_go_where_the_contract_says),
		cmocka_unit_test(the_percent_hack_repeats),
		cmocka_unit_test(verp_names_the_recipient),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
