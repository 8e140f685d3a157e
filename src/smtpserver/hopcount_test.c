#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "smtpserver/hopcount.h"

static unsigned count(struct str message, size_t size)
{
	struct hopcount h = { 0 };

	while (message.n) {
		hopcount_feed(&h, str_head(message, size));
		message = str_from(message, size);
	}
	return h.hops;
}

static void check(struct str message, unsigned expected)
{
	for (size_t size = 1; size <= message.n; size++)
		assert_int_equal(count(message, size), expected);
}

static void only_header_lines_count(void **state)
{
	(void)state;
	check(STR("Received: a\nReceived: b\nDelivered-To: c\n\nReceived: d\n"), 3);
	check(STR("RECEIVED-SPF: a\nxReceived: b\ndeliveredx\n"), 2);
	check(STR("\nReceived: a\n"), 0);
	check(STR(" Received: a\nReceive: a\nDelivere: x\n"), 0);
	check(STR("received"), 0);
	check(STR("Subject: a\nreceived\n"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_header_lines_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
