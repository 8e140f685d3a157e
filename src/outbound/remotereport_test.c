#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "outbound/remotereport.h"

static void test_reports(void **state)
{
	static const struct {
		int status;
		struct str output;
		char letter;
		const char *text;
	} rows[] = {
		{ SIGSEGV, STR("r\0Kok\n\0"), 'Z', "qmail-remote crashed.\n" },
		{ 111 << 8, STR("r\0Kok\n\0"), 'Z', "Unable to run qmail-remote.\n" },
		{ 100 << 8, STR(""), 'D', "Unable to run qmail-remote.\n" },
		{ 0, STR(""), 'Z', "qmail-remote produced no output.\n" },
		{ 0, STR("r\0Kok\n\0"), 'K', "ok\n" },
		{ 0, STR("Kok\n\0"), 'K', "ok\n" },
		{ 0, STR("r\0Zlater\n"), 'Z', "later\n" },
		{ 0, STR("Znone\n\0"), 'Z', "none\n" },
		{ 0, STR("hno\n\0Dgiving up\n\0"), 'D', "no\ngiving up\n" },
		{ 0, STR("hno\n\0Kok\n\0"), 'D', "no\n" },
		{ 0, STR("hno\n\0Zlater\n\0"), 'D', "no\n" },
		{ 0, STR("snot now\n\0Dgiving up\n\0"), 'Z', "not now\ngiving up\n" },
		{ 0, STR("snot now\n\0Zlater\n\0"), 'Z', "not now\nlater\n" },
		{ 0, STR("snot now\n\0Kok\n\0"), 'Z', "not now\n" },
		{ 0, STR("hno\n\0"), 'D', "no\n" },
		{ 0, STR("strange"), 'Z', "trange" },
		/* To qmail these were failures for good. */
		{ 0, STR("what\n"), 'Z', "qmail-remote said nothing that makes sense. (#4.3.0)\n" },
		{ 0, STR("\0\0"), 'Z', "qmail-remote said nothing that makes sense. (#4.3.0)\n" },
		{ 0, STR("r\0sno\n\0"), 'Z', "qmail-remote said nothing that makes sense. (#4.3.0)\n" },
		{ 0, STR("r\0r\0Kok\n\0"), 'K', "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf text = BUF_INIT(1000);

		assert_int_equal(remote_report(rows[i].status, rows[i].output, &text), rows[i].letter);
		assert_string_equal(buf_cstr(&text), rows[i].text);
		buf_free(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_reports) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
