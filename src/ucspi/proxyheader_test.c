#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/clock.h"
#include "ucspi/proxyheader.h"

/* Reads it in the steps that are wanted, so that nothing behind it is taken; "remote:port local:port" or a word. */
static void header(struct str bytes, const char *want)
{
	char said[200], ip[2][INETADDR_TEXT], rest[10];
	struct inetaddr remote, local;
	enum proxyheader found;
	int p[2];

	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], bytes.p, bytes.n), (ssize_t)bytes.n);
	assert_int_equal(write(p[1], "REST", 4), 4);
	found = proxyheader_read(p[0], clock_monotonic_ms() + 1000, &remote, &local);
	snprintf(said, sizeof said, "%s", found == PROXYHEADER_OWN ? "own" : "bad");
	if (found == PROXYHEADER_GIVEN) {
		inetaddr_text(&remote, ip[0]);
		inetaddr_text(&local, ip[1]);
		snprintf(said, sizeof said, "%s:%u %s:%u", ip[0], remote.port, ip[1], local.port);
	}
	assert_string_equal(said, want);
	if (found != PROXYHEADER_BAD)
		assert_int_equal(read(p[0], rest, sizeof rest), 4);
	close(p[0]);
	close(p[1]);
}

static void version_1(void **state)
{
	(void)state;
	header(STR("PROXY TCP4 192.0.2.1 192.0.2.2 1234 25\r\n"), "192.0.2.1:1234 192.0.2.2:25");
	header(STR("PROXY TCP6 2001:db8::1 ::1 1234 65535\r\n"), "2001:db8::1:1234 ::1:65535");
	header(STR("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1234 25\r\n"), "192.0.2.1:1234 192.0.2.2:25");
	header(STR("PROXY UNKNOWN\r\n"), "own");
	header(STR("PROXY UNKNOWN ffff::1 x y z\r\n"), "own");
	header(STR("PROXY TCP4 192.0.2.1 192.0.2.2 1234 25\n"), "bad");
	header(STR("PROXY TCP4 192.0.2.1 192.0.2.2 1234 65536\r\n"), "bad");
	header(STR("PROXY TCP4 192.0.2.1 192.0.2.2 1234\r\n"), "bad");
	header(STR("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n"), "bad");
	header(STR("PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n"), "bad");
	header(STR("PROXY TCP4 ::1 ::1 1 2\r\n"), "bad");
	header(STR("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n"), "bad");
	header(STR("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n"), "bad");
	header(STR("EHLO me.example.org\r\n"), "bad");
	header(STR("PROXY UNKNOWN xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		   "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"),
	       "bad");
}

#define V2 "\r\n\r\n\0\r\nQUIT\n"

static void version_2(void **state)
{
	(void)state;
	header(STR(V2 "\x21\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\4\xd2\0\x19"), "192.0.2.1:1234 192.0.2.2:25");
	header(STR(V2 "\x21\x11\0\x0f\xc0\0\2\1\xc0\0\2\2\4\xd2\0\x19xyz"), "192.0.2.1:1234 192.0.2.2:25");
	header(STR(V2 "\x21\x21\0\x24 \1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\1 \1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\2\0\1\0\2"),
	       "2001:db8::1:1 2001:db8::2:2");
	header(STR(V2 "\x21\x21\0\x24\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1"
		      "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\2\0\1\0\2"),
	       "192.0.2.1:1 192.0.2.2:2");
	header(STR(V2 "\x20\0\0\0"), "own");
	header(STR(V2 "\x20\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\4\xd2\0\x19"), "own");
	header(STR(V2 "\x21\0\0\0"), "own");
	header(STR(V2 "\x21\x31\0\3abc"), "own");
	header(STR(V2 "\x21\x11\0\x0b\xc0\0\2\1\xc0\0\2\2\4\xd2\0"), "bad");
	header(STR(V2 "\x31\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\4\xd2\0\x19"), "bad");
	header(STR(V2 "\x22\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\4\xd2\0\x19"), "bad");
	header(STR(V2 "\x21\x11\xff\xff"), "bad");
}

static void whoever_says_nothing_is_not_waited_for(void **state)
{
	struct inetaddr remote, local;
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], "PROXY", 5), 5);
	assert_int_equal(proxyheader_read(p[0], clock_monotonic_ms() + 50, &remote, &local), PROXYHEADER_BAD);
	close(p[1]);
	assert_int_equal(proxyheader_read(p[0], clock_monotonic_ms() + 50, &remote, &local), PROXYHEADER_BAD);
	close(p[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_1),
		cmocka_unit_test(version_2),
		cmocka_unit_test(whoever_says_nothing_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
