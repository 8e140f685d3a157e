#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "users/assign.h"

/* The lines of a file as "kind name|data;", then how it ended. */
static void parsed(const char *text, size_t n, const char *expected)
{
	struct str rest = { text, n };
	struct buf b = BUF_INIT(4096);
	struct assign_line l;
	enum assign_result r;

	while ((r = assign_next(&rest, &l)) == ASSIGN_LINE)
		buf_addf(&b, "%c %.*s|%.*s;", l.wildcard ? '+' : '=', STR_ARG(l.name), STR_ARG(l.data));
	buf_addz(&b, r == ASSIGN_END ? "end" : "bad");
	assert_string_equal(buf_cstr(&b), expected);
	buf_free(&b);
}

#define PARSED(text, expected) parsed(text, sizeof(text) - 1, expected)

static void lines_are_taken_apart(void **state)
{
	(void)state;
	PARSED("=joe:joe:1:2:/h:::\n.\n", "= joe|joe:1:2:/h::;end");
	PARSED("+joe-:joe:1:2:/h:-::\n=x:y:3:4:/z:-:e:junk:more\n.", "+ joe-|joe:1:2:/h:-:;= x|y:3:4:/z:-:e;end");
	PARSED("+:alias:7:8:/a:-::\n.\nwhatever", "+ |alias:7:8:/a:-:;end");
	PARSED("xjoe:joe:1:2:/h:::\n.\n", "= joe|joe:1:2:/h::;end");
	PARSED(".\n", "end");
}

static void malformed_files_are_refused(void **state)
{
	(void)state;
	PARSED("", "bad");
	PARSED("\n.\n", "bad");
	PARSED("=joe:joe:1:2:/h:::\n", "= joe|joe:1:2:/h::;bad");
	PARSED("=joe:joe:1:2:/h:::", "bad");
	PARSED("=joe:joe:1:2:/h::\n.\n", "bad");
	PARSED("=joe\n.\n", "bad");
	PARSED(":joe:1:2:/h:::\n.\n", "bad");
	PARSED("# comment\n.\n", "bad");
	PARSED("=j\0e:joe:1:2:/h:::\n.\n", "bad");
}

static void record(const char *text, struct str key, struct str value)
{
	struct buf k = BUF_INIT(100), v = BUF_INIT(100);
	struct str rest = str_of(text);
	struct assign_line l;

	assert_int_equal(assign_next(&rest, &l), ASSIGN_LINE);
	assign_record(&l, &k, &v);
	assert_int_equal(k.n, key.n);
	assert_memory_equal(k.p, key.p, key.n);
	assert_int_equal(v.n, value.n);
	assert_memory_equal(v.p, value.p, value.n);
	buf_free(&k);
	buf_free(&v);
}

static void records_have_the_bytes_that_others_read(void **state)
{
	(void)state;
	record("=JoE:joe:10:20:/h:-:e:\n", STR("!joe\0"),
	       STR("joe\0"
		   "10\0"
		   "20\0/h\0-\0e"));
	record("+Joe-:joe:10:20:/h:-::\n", STR("!joe-"),
	       STR("joe\0"
		   "10\0"
		   "20\0/h\0-\0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_taken_apart),
		cmocka_unit_test(malformed_files_are_refused),
		cmocka_unit_test(records_have_the_bytes_that_others_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
