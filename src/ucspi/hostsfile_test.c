#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ucspi/hostsfile.h"

static void keep(void *ctx, const struct inetaddr *a)
{
	char text[INETADDR_TEXT];

	inetaddr_text(a, text);
	buf_addz(ctx, text);
	buf_addc(ctx, ' ');
}

static void names_are_found(void **state)
{
	static const char text[] = "# 9.9.9.9 localhost\n127.0.0.1\tlocalhost a.b # c\nbad x a.b\n"
				   "::1 localhost  LocalHost\r\n192.0.2.1 c localhostx a.b";
	static const char *const rows[][2] = {
		{ "localhost", "127.0.0.1 ::1 " },
		{ "LOCALHOST", "127.0.0.1 ::1 " },
		{ "a.b", "127.0.0.1 192.0.2.1 " },
		{ "c", "192.0.2.1 " },
		{ "x", "" },
		{ "", "" },
		{ "127.0.0.1", "" },
	};
	struct buf out = BUF_INIT(1000);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		buf_clear(&out);
		hostsfile_find(str_of(text), str_of(rows[i][0]), keep, &out);
		assert_string_equal(buf_cstr(&out), rows[i][1]);
	}
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
