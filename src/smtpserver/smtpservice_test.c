#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "smtpserver/smtpservice.h"
#include "sys/home.h"
#include "sys/io.h"
#include "testing/testplace.h"

static struct buf logged;

static struct str get(const char *name, struct buf *b)
{
	int fd = open(name, O_RDONLY);

	buf_clear(b);
	assert_true(fd != -1 && io_read_rest(fd, b));
	close(fd);
	return buf_str(b);
}

static int make_home(void **state)
{
	testplace_begin_home(state);
	testplace_putz("control/me", "mx.test\n");
	/* The queue that this test has: it reads content and envelope and ends as it is told. */
	testplace_putz("queue", "#!/bin/sh\ncat >message\ncat 0<&1 >envelope\nexit $(cat code)\n");
	chmod("queue", 0700);
	setenv("QMAILQUEUE", testplace_path("queue"), 1);
	logged = BUF_INIT(100000);
	return 0;
}

static int remove_home(void **state)
{
	buf_free(&logged);
	return testplace_end(state);
}

static void log_line(const char *line)
{
	buf_addf(&logged, "%s\n", line);
}

/* Runs a whole session; the replies go to out. */
static void converse(const char *input, struct buf *out)
{
	static const struct smtp_client client = { .ip = { "192.0.2.1", 9 },
						   .host = { "c.test", 6 },
						   .local = { "mx.test", 7 } };
	struct smtp_policy policy;
	struct smtp_service service = { .policy = &policy, .submit = SUBMIT_INIT, .log = log_line };
	struct smtp_session s;
	struct err e;

	buf_clear(&logged);
	assert_true(smtp_policy_load(&policy, &e));
	smtp_session_start(&s, &policy.settings, &client, smtp_service_ops(), &service, out);
	smtp_session_feed(&s, str_of(input), out);
	smtp_service_log_end(&service, &s);
	smtp_session_close(&s);
	smtp_service_close(&service);
	smtp_policy_free(&policy);
}

#define MAIL "HELO h\r\nMAIL FROM:<s@c.test>\r\nRCPT TO:<a@mx.test>\r\nRCPT TO:<x@far.test>\r\nRCPT TO:<b@mx.test>\r\n"

static void a_message_reaches_the_queue(void **state)
{
	struct buf out = BUF_INIT(10000), file = BUF_INIT(10000);

	(void)state;
	testplace_putz("code", "0");
	converse(MAIL "DATA\r\nhello\r\n.\r\nQUIT\r\n", &out);
	assert_true(str_find(buf_str(&out), STR("354 go ahead\r\n250 ok ")) < out.n);
	assert_true(str_eq(get("envelope", &file), STR("Fs@c.test\0Ta@mx.test\0Tb@mx.test\0\0")));
	assert_true(str_starts(get("message", &file), STR("Received: from c.test (HELO h) (192.0.2.1)\n")));
	assert_true(str_ends(buf_str(&file), STR("-0000\nhello\n")));
	assert_non_null(
	    strstr(buf_cstr(&logged),
		   "refused to <x@far.test> from <s@c.test> client [192.0.2.1] (c.test) helo h\naccepted "));
	assert_non_null(strstr(buf_cstr(&logged), " bytes 6 recipients 2 from <s@c.test> client "));
	assert_non_null(strstr(buf_cstr(&logged), "\nend (quit) messages 1 recipients 2 bytes 6 refusals 1 client "));
	buf_free(&out);
	buf_free(&file);
}

static void a_refusal_of_the_queue_reaches_the_client(void **state)
{
	struct buf out = BUF_INIT(10000);

	(void)state;
	testplace_putz("code", "31");
	converse(MAIL "DATA\r\nhello\r\n.\r\n", &out);
	assert_true(str_ends(buf_str(&out), STR("554 mail server permanently rejected message (#5.3.0)\r\n")));
	assert_non_null(strstr(buf_cstr(&logged), "not accepted (554 mail server permanently rejected message"));
	assert_non_null(strstr(buf_cstr(&logged), "\nend (disconnected) messages 0 "));
	buf_free(&out);
}

static void an_unfinished_message_has_no_envelope(void **state)
{
	struct buf out = BUF_INIT(10000), file = BUF_INIT(10000);

	(void)state;
	testplace_putz("code", "0");
	converse(MAIL "DATA\r\nhello\r\n", &out);
	assert_int_equal(get("envelope", &file).n, 0);
	buf_free(&out);
	buf_free(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_reaches_the_queue),
		cmocka_unit_test(a_refusal_of_the_queue_reaches_the_client),
		cmocka_unit_test(an_unfinished_message_has_no_envelope),
	};

	return cmocka_run_group_tests(tests, make_home, remove_home);
}
