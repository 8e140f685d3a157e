#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "netrules/addrlist.h"

static void has(const char *list, const char *address, bool want)
{
	struct inetaddr a;
	struct err e;

	assert_true(inetaddr_parse_ip(str_of(address), &a));
	assert_true(addrlist_check(str_of(list), &e));
	assert_int_equal(addrlist_has(str_of(list), &a), want);
}

static void addresses_are_found(void **state)
{
	(void)state;
	has("10.0.0.1", "10.0.0.1", true);
	has("10.0.0.1", "10.0.0.11", false);
	has("10.0.0.1,::1,10.1.0.0/16", "10.1.255.1", true);
	has("10.0.0.1,::1,10.1.0.0/16", "10.2.0.1", false);
	has("10.0.0.1,::1,10.1.0.0/16", "::1", true);
	has("10.0.0.1,::1,10.1.0.0/16", "::2", false);
	has("0.0.0.0/0", "::1", false);
	has("0.0.0.0/0", "255.255.255.255", true);
	has("::/0", "2001:db8::1", true);
}

static void nonsense_is_refused(void **state)
{
	static const char *const lists[] = { "", "x", "10.0.0.1,", "10.0.0.0/33", "10.0.0.1 ", "10." };
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		assert_false(addrlist_check(str_of(lists[i]), &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_found),
		cmocka_unit_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
