#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "notice/diagnosis.h"

static void check(const char *report, char digit, const char *status, const char *server, const char *reply)
{
	struct diagnosis d = diagnose(str_of(report), digit);

	assert_string_equal(d.status, status);
	if (!str_eq(d.server, str_of(server)))
		fail_msg("server of \"%s\": %.*s", report, STR_ARG(d.server));
	if (!str_eq(d.reply, str_of(reply)))
		fail_msg("reply in \"%s\": %.*s", report, STR_ARG(d.reply));
}

static void local_reports(void **state)
{
	(void)state;
	check("", '5', "5.0.0", "", "");
	check("Sorry, no mailbox here by that name. (#5.1.1)\n", '5', "5.1.1", "", "");
	check("(#) (#5.1) (#5.1.1 (#5.7.1)\n", '5', "5.7.1", "", "");
	check("Temporary. (#4.3.0)\n", '5', "5.0.0", "", "");
	check("Temporary. (#4.3.0)\n", '4', "4.3.0", "", "");
	check("(#5.1234.1) (#5.01.1) (#3.1.1)", '5', "5.0.0", "", "");
	check("(#5.999.999)", '5', "5.999.999", "", "");
	check("did 1+0+0\n", '2', "2.0.0", "", "");
	check("Remote host said: 550 5.1.1 by a program\n", '5', "5.0.0", "", "");
}

static void reports_of_servers(void **state)
{
	(void)state;
	check("192.0.2.1 does not like recipient.\nRemote host said: 550-no\n550 5.1.1 user\nGiving up on 192.0.2.1.\n",
	      '5', "5.1.1", "192.0.2.1", "550-no\n550 5.1.1 user\n");
	check("2001:db8::1 does not like recipient.\nRemote host said: 550 no\nGiving up on 2001:db8::1.\n", '5',
	      "5.0.0", "2001:db8::1", "550 no\n");
	check("Connected to 192.0.2.1 but sender was rejected.\nRemote host said: 450 4.7.1 grey\n", '4', "4.7.1",
	      "192.0.2.1", "450 4.7.1 grey\n");
	check("Connected to 192.0.2.1 but connection died. (#4.4.2)\n", '4', "4.4.2", "192.0.2.1", "");
	check("192.0.2.1 accepted message.\nRemote host said: 250 2.6.0 ok\n", '2', "2.6.0", "192.0.2.1",
	      "250 2.6.0 ok\n");
	check("Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n", '4', "4.4.1", "", "");
	/* A refusal for good with a status for now. */
	check("192.0.2.1 does not like recipient.\nRemote host said: 550 4.1.1 x\n", '5', "5.0.0", "192.0.2.1",
	      "550 4.1.1 x\n");
}

static void too_old(void **state)
{
	(void)state;
	check("192.0.2.1 failed on DATA command.\nRemote host said: 451 4.3.0 x\nI'm not going to try again; this "
	      "message "
	      "has been in the queue too long.\n",
	      '5', "4.4.7", "192.0.2.1", "451 4.3.0 x\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(local_reports),
		cmocka_unit_test(reports_of_servers),
		cmocka_unit_test(too_old),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
