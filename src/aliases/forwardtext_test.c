#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aliases/forwardtext.h"

static bool keep(void *ctx, struct str key, struct str data, struct err *e)
{
	struct buf *b = ctx;

	(void)e;
	buf_add(b, key);
	buf_addc(b, '=');
	for (size_t i = 0; i < data.n; i++)
		buf_addc(b, data.p[i] ? data.p[i] : '|');
	buf_addc(b, '\n');
	return true;
}

static void compiles(struct str text, const char *want)
{
	struct buf b = BUF_INIT(10000);
	struct err e;

	assert_true(forwardtext_compile(text, keep, &b, &e));
	assert_string_equal(buf_cstr(&b), want);
	buf_free(&b);
}

static void fails(struct str text, const char *why)
{
	struct buf b = BUF_INIT(10000);
	struct err e;

	assert_false(forwardtext_compile(text, keep, &b, &e));
	assert_string_equal(e.text, why);
	assert_int_equal(e.kind, ERR_PERMANENT);
	buf_free(&b);
}

static void understands_instructions(void **state)
{
	(void)state;
	compiles(STR("Joe@H: a@b, &c@d, |p\\ q, !r, /l, ./m, .n@o, ?own@x;"),
		 "?joe@h=own@x\n:joe@h=&a@b|&c@d||p q|!r|/l|./m|.n@o|\n");
	compiles(STR("a:;b:,,;c: ?o;"), "?c=o\n");
	compiles(STR("a: b"
		     " c\td\ne # , ; :\nf;"),
		 ":a=&bcdef|\n");
	compiles(STR("a\\:b\\,\\;\\\\: c\\#;"), ":a:b,;\\=&c#|\n");
	compiles(STR(" # nothing"), "");
	compiles(STR("a: |p arg;"), ":a=|parg|\n");
}

static void says_what_is_wrong(void **state)
{
	char text[820];
	struct buf b = BUF_INIT(2000);

	(void)state;
	fails(STR("a: b"), "final instruction must end with semicolon");
	fails(STR("a"), "final instruction must end with semicolon");
	fails(STR("a: b: c;"), "double colons are not permitted");
	fails(STR("a, b: c;"), "commas are not permitted before colons");
	fails(STR("a;"), "commas are not permitted before colons");
	fails(STR("a: b\0;"), "NUL bytes are not permitted");
	memset(text, 'a', sizeof text);
	buf_addz(&b, "x: ");
	buf_add(&b, (struct str){ text, 801 });
	buf_addz(&b, ";");
	fails(buf_str(&b), "addresses over 800 bytes are not permitted");
	buf_free(&b);
}

static void prints(struct str key, struct str data, const char *want)
{
	struct buf b = BUF_INIT(1000);

	assert_true(forwardtext_print(key, data, &b));
	assert_string_equal(buf_cstr(&b), want);
	buf_free(&b);
}

static void prints_records(void **state)
{
	struct buf b = BUF_INIT(1000);

	(void)state;
	prints(STR("?a"), STR("o@p q"), "a: ?o@p\\ q;\n");
	prints(STR(":a,b"), STR("&x\0|c d:\0"), "a\\,b:\n, &x\n, |c\\ d\\:\n;\n");
	assert_false(forwardtext_print(STR("a"), STR(""), &b));
	assert_false(forwardtext_print(STR(""), STR(""), &b));
	assert_false(forwardtext_print(STR(":a"), STR("&x"), &b));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(understands_instructions),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(prints_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
