#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "resolver/dnshosts.h"

static struct dnshosts hosts;
static struct dnspacket_set set;

static bool find(const char *name, enum dns_type type)
{
	dnspacket_set_free(&set);
	return dnshosts_find(&hosts, str_of(name), type, &set);
}

static int fill(void **state)
{
	static const char *const lines[] = {
		"192.0.2.2\tb.test  Alias.Test. # a remark b.test",
		"192.0.2.1 a.test",
		"2001:db8::1 b.test",
		"192.0.2.3 b.test",
		"  # nothing",
		"192.0.2.2 other.test",
	};
	struct err e;

	(void)state;
	hosts = (struct dnshosts){ .text = BUF_INIT(100000) };
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		assert_true(dnshosts_add(&hosts, str_of(lines[i]), &e));
	dnshosts_sort(&hosts);
	return 0;
}

static int empty(void **state)
{
	(void)state;
	dnspacket_set_free(&set);
	dnshosts_free(&hosts);
	return 0;
}

static void test_addresses_in_the_order_of_the_file(void **state)
{
	(void)state;
	assert_true(find("B.test.", DNS_A));
	assert_true(set.outcome == DNS_FOUND && set.n == 2 && set.total == 2 && set.records[0].type == DNS_A);
	assert_memory_equal(set.records[0].data.p, "\xc0\0\2\2", 4);
	assert_memory_equal(set.records[1].data.p, "\xc0\0\2\3", 4);
	assert_true(find("b.test", DNS_AAAA));
	assert_true(set.n == 1 && set.records[0].data.n == 16 && set.records[0].data.p[15] == 1);
	assert_true(find("alias.test", DNS_A) && set.n == 1);
}

static void test_what_a_known_name_does_not_have(void **state)
{
	(void)state;
	assert_true(find("a.test", DNS_AAAA) && set.outcome == DNS_NO_DATA && set.n == 0);
	assert_true(find("a.test", DNS_MX) && set.outcome == DNS_NO_DATA);
	assert_false(find("a.test", DNS_TXT));
	assert_false(find("a.test", DNS_PTR));
	assert_false(find("test", DNS_A));
	assert_false(find("aa.test", DNS_A));
	assert_false(find("", DNS_A));
	assert_false(find("remark", DNS_A));
}

static void test_addresses_lead_back_to_the_first_name(void **state)
{
	(void)state;
	assert_true(find("2.2.0.192.in-addr.arpa", DNS_PTR));
	assert_true(set.n == 1 && set.total == 1 && str_eq(set.records[0].name, STR("b.test")));
	assert_true(find("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.d.0.1.0.0.2.ip6.arpa.", DNS_PTR));
	assert_true(str_eq(set.records[0].name, STR("b.test")));
	assert_false(find("2.2.0.192.in-addr.arpa", DNS_A));
}

static void test_more_addresses_than_are_kept(void **state)
{
	struct err e;

	(void)state;
	for (int i = 0; i < 2 * DNS_SET_MAX; i++)
		assert_true(dnshosts_add(&hosts, STR("192.0.2.9 many.test"), &e));
	dnshosts_sort(&hosts);
	assert_true(find("many.test", DNS_A) && set.n == DNS_SET_MAX && set.total == 2 * DNS_SET_MAX);
}

static void test_lines_that_make_no_sense(void **state)
{
	static const char *const lines[] = {
		"a.test 192.0.2.1",
		"192.0.2.1",
		"192.0.2.1 # a.test",
		"192.0.2 a.test",
		"::g a.test",
		"1.2.3.4 a..b",
		"1111111111111111111111111111111111111111111111111111111111111111111 a.test"
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		assert_false(dnshosts_add(&hosts, str_of(lines[i]), &e));
	assert_false(dnshosts_add(&hosts, (struct str){ "1.2.3.4\0 a.test", 15 }, &e));
	assert_int_equal(e.kind, ERR_PERMANENT);
}

static void test_no_file(void **state)
{
	struct dnshosts none = { 0 };

	(void)state;
	assert_false(dnshosts_find(&none, STR("a.test"), DNS_A, &set));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses_in_the_order_of_the_file),
		cmocka_unit_test(test_what_a_known_name_does_not_have),
		cmocka_unit_test(test_addresses_lead_back_to_the_first_name),
		cmocka_unit_test(test_more_addresses_than_are_kept),
		cmocka_unit_test(test_lines_that_make_no_sense),
		cmocka_unit_test(test_no_file),
	};

	return cmocka_run_group_tests(tests, fill, empty);
}
