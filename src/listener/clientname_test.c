#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "listener/clientname.h"
#include "listener/inetaddr.h"

static void reversed(const char *address, const char *want)
{
	struct buf out = BUF_INIT(100);
	struct inetaddr a;
	struct err e;
	bool any;

	assert_true(inetaddr_parse(str_of(address), &a, &any, &e));
	clientname_reverse(&a, &out);
	assert_string_equal(buf_cstr(&out), want);
	buf_free(&out);
}

static void addresses_are_asked_for_backwards(void **state)
{
	(void)state;
	reversed("192.0.2.15:25", "15.2.0.192.in-addr.arpa");
	reversed("[2001:db8::567:89ab]:25", "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}

static void loopback_needs_no_dns(void **state)
{
	struct buf out = BUF_INIT(100);
	struct inetaddr a;
	struct err e;
	bool any;

	(void)state;
	assert_true(inetaddr_parse(STR("127.0.0.9:25"), &a, &any, &e));
	clientname_find(&a, &out);
	assert_string_equal(buf_cstr(&out), "localhost");
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_asked_for_backwards),
		cmocka_unit_test(loopback_needs_no_dns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
