#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>

#include "local/outcome.h"
#include "local/program.h"

static void reported(int status, struct str output, char letter, const char *text)
{
	struct buf b = BUF_INIT(10000);

	assert_int_equal(outcome_report(status, output, &b), letter);
	assert_string_equal(buf_cstr(&b), text);
	buf_free(&b);
}

static void exit_codes_have_letters(void **state)
{
	(void)state;
	reported(0, STR("did 1+0+0\n"), 'K', "did 1+0+0\n");
	reported(111 << 8, STR("x\n"), 'Z', "x\n");
	reported(71 << 8, STR(""), 'Z', "");
	reported(74 << 8, STR(""), 'Z', "");
	reported(75 << 8, STR(""), 'Z', "");
	reported(100 << 8, STR("no"), 'D', "no");
	reported(1 << 8, STR("no"), 'D', "no");
	reported(SIGSEGV, STR("lost"), 'Z', "qmail-local crashed.\n");
	reported(112 << 8, STR("x"), 'Z', "Internal qmail-lspawn bug.\n");
	reported(113 << 8, STR("x"), 'Z', "Not allowed to perform deliveries as root.\n");
	reported(115 << 8, STR("x"), 'Z', "NFS failure in qmail-local.\n");
	reported(116 << 8, STR("x"), 'Z', "Unable to find alias user!\n");
	reported(117 << 8, STR("x"), 'Z', "Trouble reading users/cdb in qmail-lspawn.\n");
	reported(118 << 8, STR("x"), 'Z', "Temporary failure in qmail-lspawn.\n");
	reported(119 << 8, STR("x"), 'Z', "Out of memory in qmail-lspawn.\n");
	reported(120 << 8, STR("x"), 'Z', "Unable to run qmail-local.\n");
	reported(121 << 8, STR("x"), 'Z', "Unable to run qmail-getpw.\n");
	reported(126 << 8, STR("x"), 'D', "Unable to run qmail-local.\n");
}

static void long_output_is_cut(void **state)
{
	static const char remark[] = "\nError report too long, sorry.\n";
	char flood[OUTCOME_OUTPUT_MAX];
	struct buf b = BUF_INIT(10000);

	(void)state;
	memset(flood, 'y', sizeof flood);
	assert_int_equal(outcome_report(0, (struct str){ flood, 3000 }, &b), 'K');
	assert_int_equal(b.n, 3000);
	buf_clear(&b);
	assert_int_equal(outcome_report(0, (struct str){ flood, 3001 }, &b), 'K');
	assert_true(b.n <= 3000);
	assert_true(b.n >= 2900);
	assert_true(str_ends(buf_str(&b), str_of(remark)));
	buf_free(&b);
	reported(0, STR("abc\0def"), 'K', "abc");
}

static void codes_of_programs(void **state)
{
	static const int permanent[] = { 100, 64, 65, 70, 76, 77, 78, 112 };
	struct err e;

	(void)state;
	assert_int_equal(program_meaning(0, &e), PROGRAM_NEXT);
	assert_int_equal(program_meaning(99, &e), PROGRAM_STOP);
	for (int code = 1; code < 256; code++) {
		enum err_kind expected = ERR_TEMPORARY;

		if (code == 99)
			continue;
		for (size_t i = 0; i < sizeof permanent / sizeof *permanent; i++)
			if (permanent[i] == code)
				expected = ERR_PERMANENT;
		assert_int_equal(program_meaning(code, &e), PROGRAM_FAILED);
		assert_int_equal(e.kind, expected);
		assert_string_equal(e.text, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_codes_have_letters),
		cmocka_unit_test(long_output_is_cut),
		cmocka_unit_test(codes_of_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
