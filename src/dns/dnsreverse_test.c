#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dns/dnsreverse.h"

static void test_names_of_addresses(void **state)
{
	static const unsigned char v4[4] = { 192, 0, 2, 15 }, v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 0xfe };
	struct buf out = BUF_INIT(100);

	(void)state;
	dns_add_reversed(v4, false, &out);
	assert_string_equal(buf_cstr(&out), "15.2.0.192.");
	buf_clear(&out);
	dns_add_reversed(v6, true, &out);
	assert_string_equal(buf_cstr(&out), "e.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.");
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_of_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
