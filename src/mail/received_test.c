#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mail/received.h"

static void the_queue_says_who_called(void **state)
{
	struct buf b = BUF_INIT(1000);

	(void)state;
	received_queue(&b, 13836, STR("by uid 0"), 1795194786);
	assert_string_equal(buf_cstr(&b), "Received: (qmail 13836 invoked by uid 0); 20 Nov 2026 17:13:06 -0000\n");
	buf_free(&b);
}

static void smtp(const struct received_client *c, const char *expected)
{
	struct buf b = BUF_INIT(1000);

	received_smtp(&b, c, STR("SMTP"), 1795194786);
	assert_string_equal(buf_cstr(&b), expected);
	buf_free(&b);
}

static void smtp_lines_follow_the_contract(void **state)
{
	struct received_client c = { .host = STR("h.test"), .ip = STR("127.0.0.1"), .local = STR("a.test") };

	(void)state;
	smtp(&c, "Received: from h.test (127.0.0.1)\n  by a.test with SMTP; 20 Nov 2026 17:13:06 -0000\n");
	c.has_helo = true;
	c.helo = STR("H.Test");
	smtp(&c, "Received: from h.test (127.0.0.1)\n  by a.test with SMTP; 20 Nov 2026 17:13:06 -0000\n");
	c.helo = STR("");
	smtp(&c, "Received: from h.test (HELO ) (127.0.0.1)\n"
		 "  by a.test with SMTP; 20 Nov 2026 17:13:06 -0000\n");
	c.has_info = true;
	c.info = STR("joe");
	c.helo = STR("other");
	smtp(&c, "Received: from h.test (HELO other) (joe@127.0.0.1)\n"
		 "  by a.test with SMTP; 20 Nov 2026 17:13:06 -0000\n");
}

static void hostile_bytes_become_question_marks(void **state)
{
	struct received_client c = {
		.host = STR("unknown"),
		.ip = STR("2001:db8::1"),
		.local = STR("a.test"),
		.helo = STR("[1.2.3.4] (x)\n\xe4\0_y@%+/=:-"),
		.info = STR("(a;b)"),
		.has_helo = true,
		.has_info = true,
	};

	(void)state;
	smtp(&c, "Received: from unknown (HELO [1.2.3.4]??x?????y@%+/=:-) (?a?b?@2001:db8::1)\n"
		 "  by a.test with SMTP; 20 Nov 2026 17:13:06 -0000\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_queue_says_who_called),
		cmocka_unit_test(smtp_lines_follow_the_contract),
		cmocka_unit_test(hostile_bytes_become_question_marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
