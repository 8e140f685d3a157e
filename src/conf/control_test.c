#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf/control.h"
#include "sys/home.h"
#include "testing/testplace.h"

static const char *path_of(const char *name)
{
	static char path[200];

	snprintf(path, sizeof path, "control/%s", name);
	return path;
}

static void put(const char *name, struct str text)
{
	testplace_put(path_of(name), text);
}

/* The value of a line file with this text. */
static void line_is(struct str text, const char *expected)
{
	struct buf b = BUF_INIT(1000);
	bool present = false;
	struct err e;

	put("line", text);
	assert_true(control_line("line", &b, &present, &e));
	assert_true(present);
	assert_string_equal(buf_cstr(&b), expected);
	buf_free(&b);
}

static void lines_lose_blanks_at_their_end(void **state)
{
	(void)state;
	line_is(STR("a.test\n"), "a.test");
	line_is(STR("a.test"), "a.test");
	line_is(STR(" a b \t \nsecond\n"), " a b");
	line_is(STR("a\r\n"), "a");
	line_is(STR("a \r \r\n"), "a");
	line_is(STR("#a\n"), "#a");
	line_is(STR(""), "");
	line_is(STR("\nsecond"), "");
}

static void missing_lines_have_defaults(void **state)
{
	struct buf b = BUF_INIT(1000);
	bool present = true;
	struct err e;

	(void)state;
	buf_addz(&b, "old");
	assert_true(control_line("missing", &b, &present, &e));
	assert_false(present);
	assert_true(control_line_or("missing", "literal", &b, &e));
	assert_string_equal(buf_cstr(&b), "literal");
	unlink(path_of("me"));
	assert_true(control_line_or_me("missing", "literal", &b, &e));
	assert_string_equal(buf_cstr(&b), "literal");
	put("me", STR("me.test\n"));
	assert_true(control_line_or_me("missing", "literal", &b, &e));
	assert_string_equal(buf_cstr(&b), "me.test");
	put("empty", STR(""));
	assert_true(control_line_or_me("empty", "literal", &b, &e));
	assert_string_equal(buf_cstr(&b), "");
	buf_free(&b);
}

static void number_is(struct str text, uint64_t expected)
{
	uint64_t v = 77;
	struct err e;

	put("number", text);
	assert_true(control_number("number", &v, &e));
	assert_int_equal(v, expected);
}

static void numbers_are_leading_digits(void **state)
{
	uint64_t v = 5;
	struct err e;

	(void)state;
	number_is(STR("12\n"), 12);
	number_is(STR("12abc\n"), 12);
	number_is(STR("0"), 0);
	number_is(STR(" 12\n"), 77);
	number_is(STR("-1\n"), 77);
	number_is(STR("abc"), 77);
	number_is(STR(""), 77);
	number_is(STR("4294967296"), 4294967296);
	number_is(STR("99999999999999999999999"), UINT64_MAX);
	assert_true(control_number("missing", &v, &e));
	assert_int_equal(v, 5);
}

static void lists_skip_comments(void **state)
{
	struct control_list list;
	struct err e;

	(void)state;
	put("list", STR("a \n\n#c\n \t\n #d\nb\r\nlast"));
	assert_true(control_list_load("list", &list, &e));
	assert_true(list.present);
	assert_int_equal(list.n, 4);
	assert_true(str_eq(list.items[0], STR("a")));
	assert_true(str_eq(list.items[1], STR(" #d")));
	assert_true(str_eq(list.items[2], STR("b")));
	assert_true(str_eq(list.items[3], STR("last")));
	control_list_free(&list);
	put("list", STR(""));
	assert_true(control_list_load("list", &list, &e));
	assert_true(list.present && list.n == 0);
	control_list_free(&list);
	assert_true(control_list_load("missing", &list, &e));
	assert_false(list.present);
	control_list_free(&list);
}

static void maps_take_the_last_of_equal_keys(void **state)
{
	struct control_map map;
	struct str value;
	struct err e;

	(void)state;
	put("map", STR("A.test:one\nno colon\nb.test:\na.TEST:two:three\n:empty\n.dom:d\n"));
	assert_true(control_map_load("map", &map, &e));
	assert_true(control_map_find(&map, STR("a.Test"), &value));
	assert_true(str_eq(value, STR("two:three")));
	assert_true(control_map_find(&map, STR("B.test"), &value));
	assert_int_equal(value.n, 0);
	assert_false(control_map_find(&map, STR("no colon"), NULL));
	assert_true(control_map_find(&map, STR(""), &value));
	assert_true(str_eq(value, STR("empty")));
	assert_true(control_map_find_domain(&map, STR("x.y.DOM"), &value));
	assert_true(str_eq(value, STR("d")));
	assert_false(control_map_find_domain(&map, STR("dom"), NULL));
	assert_false(control_map_find_domain(&map, STR("xdom"), NULL));
	control_map_free(&map);
	assert_false(control_map_find(&map, STR("a.test"), NULL));
}

static void sets_hold_whole_lines(void **state)
{
	struct control_map set;
	struct err e;

	(void)state;
	put("set", STR("a:b\nC.test\n"));
	assert_true(control_set_load("set", &set, &e));
	assert_true(control_map_find(&set, STR("A:B"), NULL));
	assert_true(control_map_find(&set, STR("c.test"), NULL));
	assert_false(control_map_find(&set, STR("a"), NULL));
	control_map_free(&set);
	assert_true(control_set_load_path(path_of("set"), &set, &e));
	assert_true(set.present && control_map_find(&set, STR("c.test"), NULL));
	control_map_free(&set);
	assert_true(control_set_load_path("/nowhere/at all", &set, &e));
	assert_false(set.present);
	control_map_free(&set);
	control_set_single(&set, STR("Me.test"));
	assert_true(set.present && control_map_find(&set, STR("mE.TEST"), NULL));
	assert_false(control_map_find(&set, STR("other"), NULL));
	control_map_free(&set);
}

static void unreadable_files_are_errors(void **state)
{
	struct control_list list;
	struct buf b = BUF_INIT(10);
	bool present = true;
	uint64_t v;
	struct err e;

	(void)state;
	mkdir(path_of("folder"), 0700);
	assert_false(control_line("folder", &b, &present, &e));
	assert_string_equal(e.text, "unable to read control/folder: it is a directory");
	assert_false(control_number("folder", &v, &e));
	assert_false(control_list_load("folder", &list, &e));
	/* A loop of links is no missing file. */
	assert_int_equal(symlink("loop", path_of("loop")), 0);
	assert_false(control_line_or_me("loop", "x", &b, &e));
	put("long", STR("0123456789a\n"));
	assert_false(control_line("long", &b, &present, &e));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_lose_blanks_at_their_end),   cmocka_unit_test(missing_lines_have_defaults),
		cmocka_unit_test(numbers_are_leading_digits),       cmocka_unit_test(lists_skip_comments),
		cmocka_unit_test(maps_take_the_last_of_equal_keys), cmocka_unit_test(sets_hold_whole_lines),
		cmocka_unit_test(unreadable_files_are_errors),
	};

	return cmocka_run_group_tests(tests, testplace_begin_home, testplace_end);
}
