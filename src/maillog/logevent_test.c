#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "maillog/logevent.h"

static struct log_event e;

static void read_line(const char *line)
{
	log_event_read(str_of(line), &e);
}

static void lines_are_understood(void **state)
{
	(void)state;
	read_line("new msg 12");
	assert_true(e.kind == LOG_NEW && e.msg == 12 && e.when.n == 0);
	read_line("info msg 12: bytes 215 from <a@b> qp 77 uid 1000");
	assert_true(e.kind == LOG_INFO && e.qp == 77 && e.uid == 1000 && str_eq(buf_str(&e.sender), STR("a@b")));
	read_line("starting delivery 19: msg 12 to remote x@y.test");
	assert_true(e.kind == LOG_START && e.delivery == 19 && e.msg == 12);
	assert_string_equal(buf_cstr(&e.to), "remote x@y.test");
	read_line("delivery 19: deferral: Connected_to_1.2.3.4/");
	assert_true(e.kind == LOG_DEFERRAL && e.delivery == 19 && !e.has_msg);
	assert_string_equal(buf_cstr(&e.text), "Connected to 1.2.3.4/");
	read_line("bounce msg 12 qp 99");
	assert_true(e.kind == LOG_BOUNCE && e.qp == 99);
	read_line("operator: hold msg 12 by uid 0");
	assert_true(e.kind == LOG_OPERATOR && e.msg == 12);
	assert_string_equal(buf_cstr(&e.text), "hold by uid 0");
	read_line("end msg 12");
	assert_true(e.kind == LOG_END && e.msg == 12);
}

static void prefixes_tell_the_time(void **state)
{
	(void)state;
	read_line("@400000006b016d150a1b2c3c end msg 12");
	assert_true(e.kind == LOG_END);
	assert_string_equal(buf_cstr(&e.when), "2026-11-21 10:06:03");
	read_line("Nov 21 10:06:05 mx qmail: 1795255563.123456 end msg 12");
	assert_string_equal(buf_cstr(&e.when), "2026-11-21 10:06:03");
	read_line("Nov 21 10:06:05 mx qmail[12]: end msg 12");
	assert_string_equal(buf_cstr(&e.when), "Nov 21 10:06:05");
}

static void objects_are_understood(void **state)
{
	(void)state;
	read_line("{\"time\":\"2026-11-21T10:06:03Z\",\"event\":\"failure\",\"delivery\":3,\"msg\":12,\"trace\":\"ab\","
		  "\"recipient\":\"x@y\",\"text\":\"no\\nway\"}");
	assert_true(e.kind == LOG_FAILURE && e.json && e.msg == 12 && e.delivery == 3);
	assert_string_equal(buf_cstr(&e.when), "2026-11-21 10:06:03");
	assert_string_equal(buf_cstr(&e.text), "no\nway");
	read_line("@400000006b016d150a1b2c3c {\"event\":\"new\",\"msg\":7,\"messageid\":\"<a@b>\"}");
	assert_true(e.kind == LOG_NEW && e.msg == 7);
	assert_string_equal(buf_cstr(&e.messageid), "<a@b>");
}

static void others_are_not(void **state)
{
	static const char *const lines[] = { "",
					     "status: local 0/10 remote 0/20",
					     "new msg",
					     "new msg x",
					     "info msg 12: bytes",
					     "renew msg 12",
					     "delivery 3: report mangled, will defer",
					     "starting delivery 3: msg 4 to nowhere",
					     "{\"event\":\"status\"}",
					     "{",
					     "end msg 99999999999999999999999" };

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		read_line(lines[i]);
		if (e.kind != LOG_OTHER)
			fail_msg("%s", lines[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_understood),
		cmocka_unit_test(prefixes_tell_the_time),
		cmocka_unit_test(objects_are_understood),
		cmocka_unit_test(others_are_not),
	};
	int result;

	log_event_init(&e);
	result = cmocka_run_group_tests(tests, NULL, NULL);
	log_event_free(&e);
	return result;
}
