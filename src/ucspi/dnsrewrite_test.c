#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ucspi/dnsrewrite.h"

static void rewritten(const char *instructions, const char *name, const char *want)
{
	struct buf b = BUF_INIT(1000);

	buf_addz(&b, name);
	dnsrewrite_apply(str_of(instructions), &b);
	assert_string_equal(buf_cstr(&b), want);
	buf_free(&b);
}

static void instructions_are_applied_in_order(void **state)
{
	(void)state;
	rewritten("", "a", "a");
	rewritten("=a:b\n=b:c", "A", "c");
	rewritten("=a:b", "xa", "xa");
	rewritten("*.x:.y", "a.B.X", "a.B.y");
	rewritten("?:+.x+.y\n*.:", "a", "a+.x+.y");
	rewritten("?:+.x\n*.:", "a.", "a");
	rewritten("?:+.x", "[1.2", "[1.2");
	rewritten("-.old:new.x", "any.thing.old", "new.x");
	rewritten("# =a:b\nno\n=a\n\n", "a", "a");
}

static void defaults(const char *local, const char *conf, const char *own, const char *want)
{
	struct buf b = BUF_INIT(1000);

	dnsrewrite_default(local, str_of(conf), str_of(own), &b);
	assert_string_equal(buf_cstr(&b), want);
	buf_free(&b);
}

static void default_instructions(void **state)
{
	(void)state;
	defaults(NULL, "nameserver 1.2.3.4\nsearch a.x \tb.x\n", "h.z", "?:+.a.x+.b.x\n*.:\n");
	defaults(NULL, "search a\ndomain b\nsearching c\n", "h.z", "?:+.b\n*.:\n");
	defaults(NULL, "", "h.z.y", "?:+.z.y\n*.:\n");
	defaults(NULL, "", "h", "*.:\n");
	defaults("l.m n", "search a", "h.z", "?:+.l.m+.n\n*.:\n");
	defaults("", "search a", "h.z", "*.:\n");
}

static void alternatives(void **state)
{
	static const char *const rows[][4] = {
		{ "a.b", "a.b", NULL }, { "a+.x+.y", "a.x", "a.y", NULL }, { "a+", "a", NULL },
		{ "+x", "x", NULL },    { "a++b", "a", "ab", NULL },       { "", "", NULL },
	};
	struct buf b = BUF_INIT(1000);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t at = 0, n = 1;

		for (; dnsrewrite_next(str_of(rows[i][0]), &at, &b); n++) {
			assert_non_null(rows[i][n]);
			assert_string_equal(buf_cstr(&b), rows[i][n]);
		}
		assert_null(rows[i][n]);
	}
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instructions_are_applied_in_order),
		cmocka_unit_test(default_instructions),
		cmocka_unit_test(alternatives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
