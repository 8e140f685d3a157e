#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "local/dotqmail.h"

static void parsed_as(struct str text, bool forward_only, const char *expected)
{
	static const char *const words[] = { "end", "program", "maildir", "mbox", "forward", "blank", "nul" };
	struct dotqmail d = dotqmail_begin(text, forward_only);
	struct buf b = BUF_INIT(10000);
	struct dotqmail_line l;

	do {
		l = dotqmail_next(&d);
		buf_addf(&b, "%s %.*s%s\n", words[l.kind], STR_ARG(l.text), l.forbidden ? " !" : "");
	} while (l.kind != DOTQMAIL_END && l.kind != DOTQMAIL_BLANK_FIRST);
	assert_string_equal(buf_cstr(&b), expected);
	buf_free(&b);
}

#define PARSED(text, expected) parsed_as(STR(text), false, expected)

static void golden_file(void **state)
{
	(void)state;
	PARSED("# c\n&a@b  \t\n a@c\n./Maildir/ \n|prog  a  \n& d@e\n/abs/mbox\n\"q\"@x",
	       "forward a@b\nforward  a@c\nmaildir ./Maildir/\nprogram prog  a\nforward  d@e\nmbox /abs/mbox\n"
	       "forward \"q\"@x\nend \n");
}

static void first_bytes_decide(void **state)
{
	(void)state;
	PARSED("./\n/\n.\n./x\n.x/\n", "maildir ./\nmaildir /\nmbox .\nmbox ./x\nmaildir .x/\nend \n");
	PARSED("|\n&\n#\n+x\njoe\n\ttab\n", "program \nforward \nforward joe\nforward \ttab\nend \n");
	PARSED("a\n\n  \n\t\nb\n\n", "forward a\nforward b\nend \n");
}

static void first_line_must_not_be_blank(void **state)
{
	(void)state;
	PARSED("", "blank \n");
	PARSED("\na\n", "blank \n");
	PARSED(" \t\r\na\n", "blank \n");
	PARSED("#\n\na\n", "forward a\nend \n");
}

static void carriage_returns_do_not_count(void **state)
{
	(void)state;
	PARSED("./Maildir/\r\njoe\r\n|x \r", "maildir ./Maildir/\nforward joe\nprogram x\nend \n");
	PARSED("a\rb\n", "forward a\rb\nend \n");
}

static void forward_only_files(void **state)
{
	(void)state;
	parsed_as(STR("joe\n./m\n|p\n./d/\n"), true, "forward joe\nmbox ./m !\nprogram p !\nmaildir ./d/ !\nend \n");
	PARSED("./m\n+list\njoe\n|p\n", "mbox ./m\nforward joe\nprogram p !\nend \n");
	PARSED("./m\n+list x\n|p\n", "mbox ./m\nprogram p\nend \n");
	PARSED("+list \t\n|p\n", "program p !\nend \n");
}

static void nul_bytes_are_noticed(void **state)
{
	(void)state;
	parsed_as(STR("# \0\n./M\0x\n"), false, "nul ./M\nend \n");
	parsed_as(STR("\0"), false, "nul \nend \n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_file),
		cmocka_unit_test(first_bytes_decide),
		cmocka_unit_test(first_line_must_not_be_blank),
		cmocka_unit_test(carriage_returns_do_not_count),
		cmocka_unit_test(forward_only_files),
		cmocka_unit_test(nul_bytes_are_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
