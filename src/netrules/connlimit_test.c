#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "netrules/connlimit.h"

/* "NAME=value NAME=value …" */
static const char *variable(const void *ctx, const char *name)
{
	static char value[20];
	struct str rest = str_of(ctx), word, key, text;

	while (rest.n) {
		str_cut(rest, ' ', &word, &rest);
		if (str_cut(word, '=', &key, &text) && str_eq(key, str_of(name))) {
			memcpy(value, text.p, text.n);
			value[text.n] = 0;
			return value;
		}
	}
	return NULL;
}

static bool within(unsigned client, unsigned network, unsigned per_client, const char *variables)
{
	struct connlimit c = { client, network, per_client };

	return connlimit_within(&c, variable, variables);
}

static void variables_replace_the_option(void **state)
{
	(void)state;
	assert_true(within(1000, 1000, 0, ""));
	assert_true(within(2, 2, 2, ""));
	assert_false(within(3, 3, 2, ""));
	assert_true(within(3, 3, 2, "MAXCONNIP=3"));
	assert_false(within(2, 2, 9, "MAXCONNIP=1"));
	assert_false(within(2, 2, 0, "MAXPERIP=1"));
	assert_true(within(2, 2, 0, "MAXPERIP=1 MAXCONNIP=2"));
	assert_true(within(99, 99, 2, "MAXCONNIP=0"));
}

static void networks_count_for_themselves(void **state)
{
	(void)state;
	assert_false(within(1, 4, 0, "MAXCONNC=3"));
	assert_true(within(1, 3, 0, "MAXCONNC=3"));
	assert_false(within(2, 3, 0, "MAXCONNC=3 MAXCONNIP=1"));
	assert_true(within(1, 99, 0, "MAXCONNC="));
}

static uint64_t network(const char *ip)
{
	struct inetaddr a;

	assert_true(inetaddr_parse_ip(str_of(ip), &a));
	return connlimit_network(&a);
}

static void a_network_is_a_class_c_or_a_48(void **state)
{
	(void)state;
	assert_true(network("192.0.2.1") == network("192.0.2.254"));
	assert_false(network("192.0.2.1") == network("192.0.3.1"));
	assert_true(network("2001:db8:1:2::1") == network("2001:db8:1:ffff::1"));
	assert_false(network("2001:db8:1::1") == network("2001:db8:2::1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(variables_replace_the_option),
		cmocka_unit_test(networks_count_for_themselves),
		cmocka_unit_test(a_network_is_a_class_c_or_a_48),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
