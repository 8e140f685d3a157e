#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "outbound/relay.h"

static void put(struct buf *b, const struct relay *r)
{
	buf_addf(b, "%.*s %u tls%d%s%s%s%s%s", STR_ARG(r->host), r->port, r->policy.tls, r->verify ? " verify" : "",
		 r->policy.wrapped ? " wrapped" : "", r->policy.lmtp ? " lmtp" : "", r->policy.qmtp ? " qmtp" : "",
		 r->policy.auth_in_clear ? " clear" : "");
	if (r->policy.user.n)
		buf_addf(b, " %.*s/%.*s auth%u", STR_ARG(r->policy.user), STR_ARG(r->policy.password),
			 r->policy.mechanisms);
	buf_addc(b, ';');
}

static void test_what_is_understood(void **state)
{
	static const struct {
		const char *value, *relays;
	} all[] = {
		{ "relay", "relay 25 tls1;" },
		{ "relay:26", "relay 26 tls1;" },
		{ "relay:", "relay 25 tls1;" },
		{ "[2001:db8::1]:27", "2001:db8::1 27 tls1;" },
		{ "[192.0.2.1]28", "192.0.2.1 28 tls1;" },
		{ "a b:26\t c", "a 25 tls1;b 26 tls1;c 25 tls1;" },
		{ "smtp://a", "a 25 tls1;" },
		{ "SMTP://a:1?tls=no", "a 1 tls0 clear;" },
		{ "smtp://a?tls=must smtp://b?tls=verify", "a 25 tls2;b 25 tls2 verify;" },
		{ "smtps://a", "a 465 tls2 wrapped;" },
		{ "lmtp://[::1]:2400", "::1 2400 tls1 lmtp;" },
		{ "qmtp://a", "a 209 tls0 qmtp;" },
		{ "qmtp://a:210?tls=no", "a 210 tls0 qmtp clear;" },
		{ "qmtps://a?tls=verify", "a 6209 tls2 verify wrapped qmtp;" },
		{ "smtp://u:p@a:587", "a 587 tls2 verify u/p auth7;" },
		{ "smtp://u%40d:p%3A%20%40q@a?auth=login&tls=must", "a 25 tls2 u@d/p: @q auth2;" },
		{ "smtp://u:p@a?tls=no&auth=cram-md5&auth=plain", "a 25 tls0 clear u/p auth5;" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct buf text = BUF_INIT(1000);
		struct relays r;
		struct err e;

		assert_true(relays_parse(&r, str_of(all[i].value), &e));
		for (size_t k = 0; k < r.n; k++)
			put(&text, &r.list[k]);
		assert_string_equal(buf_cstr(&text), all[i].relays);
		relays_free(&r);
		buf_free(&text);
	}
}

static void test_what_is_not(void **state)
{
	static const char *const all[] = {
		"relay:x",
		"relay:0",
		"relay:65536",
		":25",
		"a :25",
		"smtp://",
		"smtp://:25",
		"smtp://u@a",
		"qmtp://u:p@a",
		"qmtp://a?tls=may",
		"qmtp://a?tls=must",
		"qmtps://a?tls=no",
		"smtp://:p@a",
		"smtp://%:p@a",
		"smtp://%4:p@a",
		"smtp://%zz:p@a",
		"smtp://u:%00@a",
		"smtp://a?tls",
		"smtp://a?tls=yes",
		"smtp://a?auth=gssapi",
		"smtps://a?tls=no",
		"smtps://a?tls=may",
		"smtp://a?auth=plain",
		"smtp://a?x=y",
		"http://a",
		"smtp://u:p@a?auth=",
		"1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21",
	};

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct relays r;
		struct err e;

		if (relays_parse(&r, str_of(all[i]), &e))
			fail_msg("%s", all[i]);
		assert_null(strstr(e.text, "u:"));
		assert_int_equal(r.n, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_understood),
		cmocka_unit_test(test_what_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
