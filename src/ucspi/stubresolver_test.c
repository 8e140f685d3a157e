#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ucspi/stubresolver.h"

static void servers(const char *value, const char *want)
{
	struct buf out = BUF_INIT(1000);
	struct str list = str_of(value);
	unsigned char ip[4];
	uint16_t port;

	while (stubresolver_server(&list, ip, &port))
		buf_addf(&out, "%d.%d.%d.%d:%u ", ip[0], ip[1], ip[2], ip[3], port);
	assert_string_equal(buf_cstr(&out), want);
	buf_free(&out);
}

static void servers_are_joined_by_dots(void **state)
{
	(void)state;
	servers("127.0.0.1", "127.0.0.1:53 ");
	servers("127.0.0.1.192.0.2.15", "127.0.0.1:53 192.0.2.15:53 ");
	servers("127.0.0.1@5353.127.0.0.2", "127.0.0.1:5353 127.0.0.2:53 ");
	servers("127.0.0.1 127.0.0.2", "127.0.0.1:53 ");
	servers("127.0.0.1@", "");
	servers("127.0.0.1@0", "");
	servers("127.0.0.1@65536", "");
	servers("127.0.0", "");
	servers("127.0.0.256", "");
	servers("", "");
	servers("::1", "");
}

static void what_is_no_name_is_not_asked_for(void **state)
{
	struct dnspacket_set set;

	(void)state;
	stubresolver_ask(DNS_A, STR("a..b"), &set);
	assert_int_equal(set.outcome, DNS_NO_NAME);
	stubresolver_ask(DNS_A, STR(""), &set);
	assert_int_equal(set.outcome, DNS_NO_NAME);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(servers_are_joined_by_dots),
		cmocka_unit_test(what_is_no_name_is_not_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
