#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/firstfiles.h"

static void domains_follow_from_the_name(void **state)
{
	static const struct {
		const char *fqdn, *domain, *plus;
	} cases[] = {
		{ "mail.dept.example.org", "dept.example.org", "example.org" },
		{ "mail.example.org", "example.org", "example.org" },
		{ "example.org", "example.org", "example.org" },
		{ "host", "host", "host" },
		{ "", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_true(str_eq(firstfiles_domain(str_of(cases[i].fqdn)), str_of(cases[i].domain)));
		assert_true(str_eq(firstfiles_plus(str_of(cases[i].fqdn)), str_of(cases[i].plus)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(domains_follow_from_the_name) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
