#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ucspi/ident.h"

static void parsed(const char *reply, const char *want)
{
	struct buf info = BUF_INIT(IDENT_REPLY_MAX);

	ident_parse(str_of(reply), &info);
	assert_string_equal(buf_cstr(&info), want);
	buf_free(&info);
}

static void replies(void **state)
{
	(void)state;
	parsed("6193, 23 : USERID : UNIX : stjohns\r\n", "stjohns");
	parsed("6193, 23 : USERID : UNIX : a b\tc:d\r\nmore", "abc:d");
	parsed("6193, 23 : ERROR : NO-USER\r\n", "");
	parsed("6195, 23 : USERID : UNIX :", "");
	parsed("", "");
	parsed("\n : : : x", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
