#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "resolver/trustanchor.h"

static void test_owner_of_the_first_record(void **state)
{
	static const char *const rows[][2] = {
		{ ".\tIN DS 1 8 2 AA\n", "." },
		{ "; remark\n\n$TTL 300\nsigned.test. 300 IN DNSKEY 257 3 13 AA\nother. DS 1 8 2 AA\n",
		  "signed.test." },
		{ ".;x", "." },
		{ "; only remarks", "" },
		{ "  IN DS 1 8 2 AA", "" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_true(str_eq(trustanchor_owner(str_of(rows[i][0])), str_of(rows[i][1])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_owner_of_the_first_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
