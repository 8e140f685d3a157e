#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aliases/aliasfile.h"
#include "aliases/aliasline.h"

static struct rewrite_rules rules;

static int begin(void **state)
{
	struct err e;

	(void)state;
	return rewrite_init(&rules, STR("host"), STR("dom.test"), STR("plus.test"), &e) ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	rewrite_free(&rules);
	return 0;
}

/* Records as "key=data\n", with '|' in place of each NUL. */
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

	assert_true(aliasfile_compile(text, &rules, keep, &b, &e));
	assert_string_equal(buf_cstr(&b), want);
	buf_free(&b);
}

static void fails(struct str text, enum err_kind kind, const char *why)
{
	struct buf b = BUF_INIT(10000);
	struct err e;

	assert_false(aliasfile_compile(text, &rules, keep, &b, &e));
	assert_string_equal(e.text, why);
	assert_int_equal(e.kind, kind);
	buf_free(&b);
}

static void completes_recipients(void **state)
{
	(void)state;
	compiles(STR("Joe: a, b@c, d@e.f, g@h+\n"), ":joe@=&g@h.plus.test|&d@e.f|&b@c.dom.test|&a@host.dom.test|\n");
	compiles(STR("joe@Host.X: a@b.c\n@x.y: a@b.c\n"), ":joe@host.x=&a@b.c|\n:@x.y=&a@b.c|\n");
	compiles(STR("joe: Name Of <a@b.c>, (comment) \"q q\"@d.e\n"), ":joe@=&q q@d.e|&a@b.c|\n");
}

static void separators_are_optional(void **state)
{
	(void)state;
	compiles(STR("joe a@b.c d@e.f\n"), ":joe@=&d@e.f|&a@b.c|\n");
	compiles(STR("joe:a@b.c,,d@e.f;\n"), ":joe@=&d@e.f|&a@b.c|\n");
}

static void joins_lines(void **state)
{
	(void)state;
	compiles(STR("joe: a@b.c,\n\n\td@e.f\n# comment\n  of two lines\n\nann: x@y.z"),
		 ":joe@=&d@e.f|&a@b.c|\n:ann@=&x@y.z|\n");
	compiles(STR("\n \n#\n"), "");
}

static void knows_programs_and_lists(void **state)
{
	(void)state;
	compiles(STR("joe: \"|prog -x 'a b'\", |short\n"), ":joe@=!short|!prog -x 'a b'|\n");
	compiles(STR("joe: :include:/a/b.c/d, x@y.z\n"), ":joe@=&x@y.z|/a/b.c/d.bin|\n");
	compiles(STR("joe::include:list\n"), ":joe@=./list.bin|\n");
	compiles(STR("joe: \":include:/a b\"\n"), ":joe@=/a b.bin|\n");
	fails(STR("joe: /file/x.y\n"), ERR_TEMPORARY, "file delivery /file/x.y not supported");
	fails(STR("joe: :include:\n"), ERR_TEMPORARY, "the name of an included file is missing");
}

static void owners_are_noted(void **state)
{
	(void)state;
	compiles(STR("owner-List: ann@b.c\n"), "?list@=owner-List@host.dom.test\n:owner-list@=&ann@b.c|\n");
	compiles(STR("owner-l@h.x: ann@b.c\n"), "?l@h.x=owner-l@h.x\n:owner-l@h.x=&ann@b.c|\n");
}

static void says_what_is_wrong(void **state)
{
	char text[1200];
	struct buf b = BUF_INIT(2000);

	(void)state;
	fails(STR("joe: \"a\n"), ERR_TEMPORARY, "unable to parse this line: joe: \"a");
	fails(STR("joe: a>\n"), ERR_TEMPORARY, "unable to parse this line: joe: a>");
	fails(STR("joe: a\0b\n"), ERR_TEMPORARY, "unable to parse this line: joe: a");
	fails(STR("joe:\n"), ERR_TEMPORARY, "unable to parse this line: joe:");
	fails(STR("joe: <>\n"), ERR_TEMPORARY, "empty recipient addresses not permitted");
	fails(STR("|x: a\n"), ERR_TEMPORARY, "unable to parse this line: |x: a");
	memset(text, 'a', sizeof text);
	buf_addz(&b, "joe: ");
	buf_add(&b, (struct str){ text, 801 });
	buf_addz(&b, "@b.c\n");
	fails(buf_str(&b), ERR_PERMANENT, "addresses over 800 bytes are not permitted");
	buf_free(&b);
}

static void lists_are_compiled(void **state)
{
	struct buf b = BUF_INIT(1000);
	struct err e;

	(void)state;
	assert_true(aliasfile_compile_list(STR("# c\na, B@c.d, <>\n\n:include:other\n"), &rules, &b, &e));
	assert_true(str_eq(buf_str(&b), STR("&B@c.d\0&a@host.dom.test\0./other\0")));
	assert_false(aliasfile_compile_list(STR("|prog\n"), &rules, &b, &e));
	assert_false(aliasfile_compile_list(STR("/file\n"), &rules, &b, &e));
	buf_free(&b);
}

static void include_is_nothing_special_in_forward_files(void **state)
{
	struct alias_items items = { 0 };
	struct err e;

	(void)state;
	assert_true(aliasline_parse(STR(":include:x"), &rules, false, &items, &e));
	assert_int_equal(items.n, 2);
	assert_true(str_eq(items.item[0].plain, STR("include")) && items.item[0].kind == ALIAS_ADDRESS);
	alias_items_free(&items);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(completes_recipients), cmocka_unit_test(separators_are_optional),
		cmocka_unit_test(joins_lines),          cmocka_unit_test(knows_programs_and_lists),
		cmocka_unit_test(owners_are_noted),     cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(lists_are_compiled),   cmocka_unit_test(include_is_nothing_special_in_forward_files),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
