#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "resolver/upstream.h"

static void test_server_lines(void **state)
{
	static const char *const rows[][2] = {
		{ "127.0.0.1", "127.0.0.1@53" },
		{ "127.0.0.1@5353", "127.0.0.1@5353" },
		{ "127.0.0.1:5353", "127.0.0.1@5353" },
		{ "::1", "::1@53" },
		{ "::1@54", "::1@54" },
		{ "[::1]", "::1@53" },
		{ "[::1]:54", "::1@54" },
		{ "[::1]54", NULL },
		{ "fe80::1%eth0", "fe80::1%eth0@53" },
		{ "[fe80::1%eth0]:54", "fe80::1%eth0@54" },
		{ "fe80::1%", NULL },
		{ "fe80::1%12345678901234567", NULL },
		{ "host.test", NULL },
		{ "127.0.0.1:0", NULL },
		{ "127.0.0.1@65536", NULL },
		{ "127.0.0.1@x", NULL },
		{ "1.2.3", NULL },
		{ "", NULL },
	};
	struct buf out = BUF_INIT(100);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		buf_clear(&out);
		assert_int_equal(upstream_server(str_of(rows[i][0]), &out), rows[i][1] != NULL);
		if (rows[i][1])
			assert_string_equal(buf_cstr(&out), rows[i][1]);
	}
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_server_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
