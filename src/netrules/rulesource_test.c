#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "netrules/rulesource.h"

static struct buf made;

/* "KEY>value " with NUL shown as `|`. */
static bool keep(void *ctx, struct str key, struct str value)
{
	(void)ctx;
	buf_add(&made, key);
	buf_addc(&made, '>');
	for (size_t i = 0; i < value.n; i++)
		buf_addc(&made, value.p[i] ? value.p[i] : '|');
	buf_addc(&made, ' ');
	return true;
}

static void line(const char *text, const char *want)
{
	bool stopped;

	made.limit = 1u << 20;
	buf_clear(&made);
	assert_int_equal(rulesource_read(str_of(text), keep, NULL, &stopped), RULESOURCE_RULE);
	assert_string_equal(buf_cstr(&made), want);
	assert_false(stopped);
}

static void outcome(const char *text, enum rulesource want)
{
	bool stopped;

	buf_clear(&made);
	assert_int_equal(rulesource_read(str_of(text), keep, NULL, &stopped), want);
	assert_int_equal(made.n, 0);
}

static void the_old_grammar(void **state)
{
	(void)state;
	line(":deny", ">D| ");
	line(":allow", "> ");
	line("1.2.3.4:deny \t ", "1.2.3.4>D| ");
	line(" 1.2.3.4:deny", " 1.2.3.4>D| ");
	line("10.1:deny,A=/x/,B=,y,", "10.1>D|+A=x|+B=y| ");
	line("10.1:allow,A=\"\"", "10.1>+A=| ");
	line("10.1:allow,A=\"x:deny\"", "10.1>+A=x:deny| ");
	line("10.1:allow,=\"x\"", "10.1>+=x| ");
	line("u@10.1.2.3:allow", "u@10.1.2.3> ");
	line("=.example.org:allow", "=.example.org> ");
	line("x/y:allow", "x/y> ");
	line("10.0.0.0/33:allow", "10.0.0.0/33> ");
}

static void ranges(void **state)
{
	(void)state;
	line("10.254-300:deny", "10.254>D| 10.255>D| ");
	line("10.5-3:deny", "");
	line("10.-.1:deny", "10.0.1>D| ");
	line("u-1@1.2-3:deny", "u-1@1.2-3>D| ");
	line("=h-1-2:deny", "=h-1-2>D| ");
	line("10.1-2.3-4:deny", "10.1.3-4>D| 10.2.3-4>D| ");
	line("1-2.:allow", "1.> 2.> ");
	line("99999999999999999999-3:deny", "");
}

static void what_is_no_rule(void **state)
{
	(void)state;
	outcome("", RULESOURCE_EMPTY);
	outcome(" \t", RULESOURCE_EMPTY);
	outcome("# a:deny", RULESOURCE_EMPTY);
	outcome("1.2.3.4", RULESOURCE_IGNORED);
	outcome(" # no colon", RULESOURCE_IGNORED);
	outcome("10.1:allow,A=", RULESOURCE_BAD);
	outcome("10.1: deny", RULESOURCE_BAD);
	outcome("10.1:deny # c", RULESOURCE_BAD);
	outcome("10.1:allow,\"x\"", RULESOURCE_BAD);
	outcome("10.1:allow,A=\"x", RULESOURCE_BAD);
	outcome("10.1:denying", RULESOURCE_BAD);
	outcome("10.x-3:deny", RULESOURCE_BAD);
	outcome("10.1-:3:deny", RULESOURCE_BAD);
	outcome("::deny", RULESOURCE_BAD);
	outcome("a:b:deny", RULESOURCE_BAD);
	outcome("10.1:", RULESOURCE_BAD);
}

static void address_blocks(void **state)
{
	(void)state;
	line("10.0.0.0/8:deny", "_00001010>D| ");
	line("10.255.1.2/8:deny", "_00001010>D| ");
	line("192.0.2.129/32:allow", "_11000000000000000000001010000001> ");
	line("0.0.0.0/0:deny", "_>D| ");
	line("2001:DB8:0::1:deny", "2001:db8::1>D| ");
	line(":::allow", "::> ");
	line("::1:allow,X=\"y\"", "::1>+X=y| ");
	line("2001:db8::/20:deny", "^00100000000000010000>D| ");
	line("2001:8000::/18:deny", "^001000000000000110>D| ");
	line("2001::deny", "^0010000000000001>D| ");
	line("u@2001:DB8::1:deny", "u@2001:db8::1>D| ");
	outcome("2001:db8::/129:deny", RULESOURCE_BAD);
	outcome("2001:dbx::deny", RULESOURCE_BAD);
	outcome("2001:db8:::1:deny", RULESOURCE_BAD);
}

static void shown(const char *key, const char *want)
{
	struct buf out = BUF_INIT(100);

	rulesource_show(str_of(key), &out);
	assert_string_equal(buf_cstr(&out), want);
	buf_free(&out);
}

static void keys_are_shown_as_written(void **state)
{
	(void)state;
	shown("_00001010", "10.0.0.0/8");
	shown("_", "0.0.0.0/0");
	shown("^0010000000000001", "2001::/16");
	shown("", "");
	shown("=.x", "=.x");
	shown("10.", "10.");
}

static bool stop(void *ctx, struct str key, struct str value)
{
	(void)key;
	(void)value;
	++*(int *)ctx;
	return false;
}

static void a_failure_ends_a_range(void **state)
{
	bool stopped;
	int n = 0;

	(void)state;
	assert_int_equal(rulesource_read(STR("1.0-255:deny"), stop, &n, &stopped), RULESOURCE_RULE);
	assert_true(stopped);
	assert_int_equal(n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_old_grammar),           cmocka_unit_test(ranges),
		cmocka_unit_test(what_is_no_rule),           cmocka_unit_test(address_blocks),
		cmocka_unit_test(keys_are_shown_as_written), cmocka_unit_test(a_failure_ends_a_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
