#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "listener/inetaddr.h"
#include "listener/listener.h"
#include "listener/listener_fixture.h"

static void parses(const char *text, const char *ip, unsigned port)
{
	struct inetaddr a;
	struct err e;
	bool any;
	char back[INETADDR_TEXT];

	if (!inetaddr_parse(str_of(text), &a, &any, &e))
		fail_msg("%s", e.text);
	assert_false(any);
	inetaddr_text(&a, back);
	assert_string_equal(back, ip);
	assert_int_equal(a.port, port);
}

static void addresses_are_read(void **state)
{
	static const char *const wrong[] = {
		"",       "25",    "1.2.3.4", "1.2.3.4:",     "1.2.3.4:x",    "1.2.3.4:65536", "1.2.3:25",
		"::1:25", "[::1]", "[::1:25", "[1.2.3.4]:25", "host.test:25", "[]:25"
	};
	struct inetaddr a;
	struct err e;
	bool any;

	(void)state;
	parses("1.2.3.4:25", "1.2.3.4", 25);
	parses("[::1]:65535", "::1", 65535);
	parses("0.0.0.0:0", "0.0.0.0", 0);
	assert_true(inetaddr_parse(STR("*:25"), &a, &any, &e) && any && a.port == 25);
	assert_true(inetaddr_parse(STR(":25"), &a, &any, &e) && any);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		if (inetaddr_parse(str_of(wrong[i]), &a, &any, &e))
			fail_msg("%s was taken", wrong[i]);
}

static bool same_client(const char *a, const char *b)
{
	struct inetaddr x = address(a), y = address(b);

	return inetaddr_client(&x) == inetaddr_client(&y);
}

static void clients_are_told_apart(void **state)
{
	(void)state;
	assert_true(same_client("1.2.3.4:1", "1.2.3.4:2"));
	assert_false(same_client("1.2.3.4:1", "1.2.3.5:1"));
	assert_true(same_client("[2001:db8:1:2::1]:1", "[2001:db8:1:2:ffff::1]:2"));
	assert_false(same_client("[2001:db8:1:2::1]:1", "[2001:db8:1:3::1]:1"));
	assert_false(same_client("[::1]:1", "0.0.0.1:1"));
}

static void sockets_give_back_what_was_put_in(void **state)
{
	struct sockaddr_storage ss;
	struct inetaddr a = address("[2001:db8::5]:587"), b;
	struct inetaddr mapped = address("[::ffff:192.0.2.9]:25");
	char text[INETADDR_TEXT];

	(void)state;
	inetaddr_to(&a, &ss);
	assert_true(inetaddr_from((const void *)&ss, &b));
	assert_memory_equal(&a, &b, sizeof a);
	inetaddr_to(&mapped, &ss);
	assert_true(inetaddr_from((const void *)&ss, &b));
	inetaddr_text(&b, text);
	assert_string_equal(text, "192.0.2.9");
	a = address("127.9.9.9:1");
	assert_true(inetaddr_loopback(&a));
	a = address("[::1]:1");
	assert_true(inetaddr_loopback(&a));
	a = address("128.0.0.1:1");
	assert_false(inetaddr_loopback(&a));
	ss.ss_family = AF_UNIX;
	assert_false(inetaddr_from((const void *)&ss, &b));
}

static void a_port_in_use_is_a_temporary_error(void **state)
{
	struct listener l = LISTENER_INIT, second = LISTENER_INIT;
	struct buf bound = BUF_INIT(1000), again = BUF_INIT(1000);
	struct str line, rest;
	struct err e;

	(void)state;
	assert_true(listener_bind(&l, STR("127.0.0.1:0"), &bound, &e));
	rest = buf_str(&bound);
	assert_true(str_next_line(&rest, &line));
	assert_true(str_starts(line, STR("127.0.0.1:")));
	assert_false(listener_bind(&second, line, &again, &e));
	assert_int_equal(e.kind, ERR_TEMPORARY);
	assert_non_null(strstr(e.text, "already used"));
	assert_false(listener_bind(&second, STR("192.0.2.1:0"), &again, &e));
	listener_close(&l);
	listener_close(&second);
	buf_free(&bound);
	buf_free(&again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read),
		cmocka_unit_test(clients_are_told_apart),
		cmocka_unit_test(sockets_give_back_what_was_put_in),
		cmocka_unit_test(a_port_in_use_is_a_temporary_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
