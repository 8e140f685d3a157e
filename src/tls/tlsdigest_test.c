#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tls/tlsdigest.h"

/* RFC 2202 §2. */
static void test_known_answers(void **state)
{
	unsigned char mac[TLS_HMAC_MD5];

	(void)state;
	assert_true(tls_hmac_md5(STR("Jefe"), STR("what do ya want for nothing?"), mac));
	assert_memory_equal(mac, "\x75\x0c\x78\x3e\x6a\xb0\xb5\x03\xea\xa8\x6e\x31\x0a\x5d\xb7\x38", sizeof mac);
	assert_true(tls_hmac_md5(STR("\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"),
				 STR("Hi There"), mac));
	assert_memory_equal(mac, "\x92\x94\x72\x7a\x36\x38\xbb\x1c\x13\xf4\x8e\xf8\x15\x8b\xfc\x9d", sizeof mac);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_known_answers) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
