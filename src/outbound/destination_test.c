#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "outbound/destination.h"
#include "sys/home.h"
#include "testing/testplace.h"

static struct outsettings settings;
static struct destination d;
static struct dns_answer answer;

static int set_up(void **state)
{
	struct err e;

	testplace_begin_home(state);
	testplace_putz("control/me", "me.test\n");
	testplace_putz(
	    "control/smtproutes",
	    "plain.test:192.0.2.1\nport.test:192.0.2.1:2525\nv6.test:[2001:db8::1]:26\nv6b.test:[IPv6:2001:db8::1]\n"
	    "name.test:relay.test:27\n.sub.test:192.0.2.2\nmx.sub.test:\nbad.test:192.0.2.1:x\n[192.0.2.9]:192.0.2."
	    "3\n");
	testplace_putz("control/addressfamily", "four.test:4only\n.six.test:6\n");
	testplace_putz("control/moreipme", "192.0.2.77\n");
	assert_true(outsettings_load(&settings, &e));
	return 0;
}

static int tear_down(void **state)
{
	outsettings_free(&settings);
	return testplace_end(state);
}

static void begin(const char *host)
{
	destination_free(&d);
	destination_begin(&d, &settings, str_of(host));
}

static void expect_address(size_t i, const char *want)
{
	char text[PEERADDRESS_TEXT_MAX];

	assert_true(i < d.n);
	peeraddress_text(&d.addresses[i], text);
	assert_string_equal(text, want);
}

static void test_routes(void **state)
{
	static const struct {
		const char *host, *address;
		uint16_t port;
	} rows[] = {
		{ "plain.test", "192.0.2.1", 25 },  { "PORT.test", "192.0.2.1", 2525 },
		{ "v6.test", "2001:db8::1", 26 },   { "v6b.test", "2001:db8::1", 25 },
		{ "a.sub.test", "192.0.2.2", 25 },  { "a.b.sub.test", "192.0.2.2", 25 },
		{ "[192.0.2.9]", "192.0.2.3", 25 }, { "[192.0.2.8]", "192.0.2.8", 25 },
		{ "192.0.2.8", "192.0.2.8", 25 },   { "[IPv6:2001:db8::2]", "2001:db8::2", 25 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		begin(rows[i].host);
		assert_int_equal(d.n, 1);
		assert_int_equal(d.ask, 0);
		assert_int_equal(d.port, rows[i].port);
		expect_address(0, rows[i].address);
	}
	begin("name.test");
	assert_true(d.ask == DNS_HOST && d.port == 27 && str_eq(d.ask_name, STR("relay.test")));
	begin("mx.sub.test");
	assert_true(d.ask == DNS_MAIL && str_eq(d.ask_name, STR("mx.sub.test")));
	begin("bad.test");
	assert_true(d.letter == 'Z' && d.n == 0);
}

static void put_a(uint16_t preference, const char *bytes)
{
	answer.records[answer.n++] =
	    (struct dns_record){ .type = DNS_A, .preference = preference, .name = STR("x"), .data = { bytes, 4 } };
}

static void put_aaaa(uint16_t preference, const char *bytes)
{
	answer.records[answer.n++] =
	    (struct dns_record){ .type = DNS_AAAA, .preference = preference, .name = STR("x"), .data = { bytes, 16 } };
}

static void put_mx(uint16_t preference, const char *name)
{
	answer.records[answer.n++] =
	    (struct dns_record){ .type = DNS_MX, .preference = preference, .name = str_of(name), .data = STR("") };
}

static void begin_answer_for(const char *host, enum dns_outcome outcome)
{
	begin(host);
	answer.n = 0;
	answer.outcome = (uint8_t)outcome;
	answer.why = STR("why\n");
}

static void begin_answer(enum dns_outcome outcome)
{
	begin_answer_for("x.test", outcome);
}

static void finish(void)
{
	destination_answer(&d, &settings, &answer);
}

static void test_addresses_by_preference(void **state)
{
	(void)state;
	begin_answer(DNS_FOUND);
	put_a(20, "\1\1\1\1");
	put_a(5, "\2\2\2\2");
	put_a(65535, "\3\3\3\3");
	put_a(0, "\4\4\4\4");
	finish();
	assert_int_equal(d.n, 4);
	expect_address(0, "4.4.4.4");
	expect_address(1, "2.2.2.2");
	expect_address(2, "1.1.1.1");
	expect_address(3, "3.3.3.3");
}

static void test_equal_preferences_are_shared(void **state)
{
	int first = 0;

	(void)state;
	for (int i = 0; i < 400; i++) {
		begin_answer(DNS_FOUND);
		put_a(1, "\1\1\1\1");
		put_a(1, "\2\2\2\2");
		finish();
		first += d.addresses[0].bytes[0] == 1;
	}
	assert_in_range(first, 120, 280);
}

static void test_ourselves_and_worse_are_dropped(void **state)
{
	(void)state;
	begin_answer(DNS_FOUND);
	put_a(5, "\1\1\1\1");
	put_a(10, "\177\0\0\1");
	put_a(10, "\2\2\2\2");
	put_a(20, "\3\3\3\3");
	finish();
	assert_int_equal(d.n, 1);
	expect_address(0, "1.1.1.1");

	begin_answer(DNS_FOUND);
	put_mx(5, "ME.test");
	put_a(5, "\1\1\1\1");
	put_a(20, "\3\3\3\3");
	finish();
	assert_int_equal(d.letter, 'D');
	assert_true(str_ends(buf_str(&d.text), STR("(#5.4.6)\n")));

	begin("name.test");
	answer.n = 0;
	put_a(0, "\177\0\0\1");
	finish();
	assert_int_equal(d.n, 1);
}

static void expect_ways(const char *want)
{
	char text[PEERADDRESS_TEXT_MAX];
	struct buf got = BUF_INIT(1000);

	for (size_t i = 0; i < d.n; i++) {
		struct session_policy p;
		bool usable = destination_policy(&d, &settings, i, &p);

		assert_true(usable && p.qmtp == d.qmtp[i] && (!p.qmtp || p.tls == SESSION_TLS_NEVER));
		assert_true(str_eq(p.name, STR("x")));
		peeraddress_text(&d.addresses[i], text);
		buf_addf(&got, "%s:%u ", text, destination_port(&d, i));
	}
	assert_string_equal(buf_cstr(&got), want);
	buf_free(&got);
}

static void test_qmtp_by_preference(void **state)
{
	static const struct {
		uint16_t preference;
		bool qmtp;
	} rows[] = { { 12801, true },  { 12817, true },  { 13041, true },  { 12800, false }, { 12802, false },
		     { 13042, false }, { 12785, false }, { 13057, false }, { 1, false },     { 0, false } };

	(void)state;
	settings.mxps = 1;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		begin_answer(DNS_FOUND);
		put_a(rows[i].preference, "\1\1\1\1");
		finish();
		expect_ways(rows[i].qmtp ? "1.1.1.1:209 1.1.1.1:25 " : "1.1.1.1:25 ");
	}
	begin_answer(DNS_FOUND);
	put_a(10, "\3\3\3\3");
	put_a(12801, "\1\1\1\1");
	put_a(12817, "\2\2\2\2");
	put_a(12817, "\2\2\2\2");
	put_a(20000, "\4\4\4\4");
	finish();
	expect_ways("3.3.3.3:25 1.1.1.1:209 1.1.1.1:25 2.2.2.2:209 2.2.2.2:25 2.2.2.2:209 2.2.2.2:25 4.4.4.4:25 ");

	/* As many as there is room for stay as they are. */
	begin_answer(DNS_FOUND);
	for (size_t i = 0; i < DNS_SET_MAX; i++)
		put_a(12801, "\1\1\1\1");
	finish();
	assert_true(d.n == DNS_SET_MAX && !d.qmtp[0] && !d.qmtp[DNS_SET_MAX - 1]);

	settings.mxps = 0;
	begin_answer(DNS_FOUND);
	put_a(12801, "\1\1\1\1");
	finish();
	expect_ways("1.1.1.1:25 ");
}

static void test_address_that_leads_here_all_the_same(void **state)
{
	(void)state;
	begin_answer(DNS_FOUND);
	put_a(10, "\300\0\2\115");
	finish();
	assert_int_equal(d.letter, 'D');
	assert_true(str_ends(buf_str(&d.text), STR("(#5.4.6)\n")));
}

static void put_both_families(void)
{
	put_a(5, "\1\1\1\1");
	put_a(5, "\2\2\2\2");
	put_aaaa(5, "0123456789abcdef");
	put_aaaa(5, "0123456789abcdeg");
	put_aaaa(1, "0123456789abcdeh");
	finish();
}

static void test_families(void **state)
{
	int v6 = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		begin_answer(DNS_FOUND);
		put_both_families();
		assert_true(d.n == 5 && d.addresses[0].v6 && d.addresses[1].v6 != d.addresses[2].v6 &&
			    d.addresses[2].v6 != d.addresses[3].v6);
		v6 += d.addresses[1].v6;
	}
	assert_in_range(v6, 20, 80);
	assert_int_equal(destination_connect_ms(&d, &settings, 0), FAMILY_SECONDS * 1000);
	assert_int_equal(destination_connect_ms(&d, &settings, 4), 60000);

	begin_answer_for("a.SIX.test", DNS_FOUND);
	put_both_families();
	assert_true(d.n == 5 && d.addresses[2].v6 && !d.addresses[3].v6);

	begin_answer_for("four.test", DNS_FOUND);
	put_both_families();
	assert_true(d.n == 2 && !d.addresses[0].v6 && !d.addresses[1].v6);
	assert_int_equal(destination_connect_ms(&d, &settings, 0), 60000);

	begin_answer_for("four.test", DNS_FOUND);
	put_aaaa(1, "0123456789abcdeh");
	finish();
	assert_int_equal(d.letter, 'Z');
	assert_true(str_find(buf_str(&d.detail), STR("control/addressfamily")) < d.detail.n);
}

static void test_outcomes(void **state)
{
	static const struct {
		enum dns_outcome outcome;
		char letter;
		const char *text;
	} rows[] = {
		{ DNS_NO_NAME, 'D', "Sorry, I couldn't find any host named x.test. (#5.1.2)\n" },
		{ DNS_NO_DATA, 'D', "Sorry, I couldn't find any host named x.test. (#5.1.2)\n" },
		{ DNS_TEMPORARY, 'Z', "Sorry, I couldn't find any host by that name. (#4.1.2)\n" },
		{ DNS_BAD_MX, 'Z', "Sorry, I couldn't find any host by that name. (#4.1.2)\n" },
		{ DNS_NULL_MX, 'D', "Sorry, x.test does not accept mail: it has a null MX. (#5.1.10)\n" },
		{ DNS_DEAD_MX, 'D', "Sorry, I couldn't find a mail exchanger or IP address. (#5.4.4)\n" },
		{ DNS_FOUND, 'Z', "Sorry, I couldn't find any host by that name. (#4.1.2)\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		begin_answer(rows[i].outcome);
		finish();
		assert_int_equal(d.letter, rows[i].letter);
		assert_string_equal(buf_cstr(&d.text), rows[i].text);
		if (rows[i].letter == 'Z' && rows[i].outcome != DNS_FOUND)
			assert_string_equal(buf_cstr(&d.detail), "DNS: why?.\n");
	}
	begin("a b\x80.test");
	destination_answer(&d, &settings, &(struct dns_answer){ .outcome = DNS_NO_NAME });
	assert_string_equal(buf_cstr(&d.text), "Sorry, I couldn't find any host named a?b?.test. (#5.1.2)\n");
	destination_free(&d);
}

static void test_loopback(void **state)
{
	static const char *const own[] = { "127.0.0.1", "127.9.9.9", "0.0.0.0", "::", "::1", "::ffff:127.0.0.1" };
	static const char *const other[] = { "128.0.0.1", "::2", "::ffff:1.2.3.4", "1::1" };
	struct peeraddress a;

	(void)state;
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		assert_true(peeraddress_parse(str_of(own[i]), &a) && peeraddress_is_loopback(&a));
	for (size_t i = 0; i < sizeof other / sizeof *other; i++)
		assert_true(peeraddress_parse(str_of(other[i]), &a) && !peeraddress_is_loopback(&a));
	assert_false(peeraddress_parse(STR("1.2.3"), &a));
	assert_false(peeraddress_parse(STR("[1.2.3.4"), &a));
	assert_false(peeraddress_parse(STR(""), &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_addresses_by_preference),
		cmocka_unit_test(test_equal_preferences_are_shared),
		cmocka_unit_test(test_ourselves_and_worse_are_dropped),
		cmocka_unit_test(test_qmtp_by_preference),
		cmocka_unit_test(test_address_that_leads_here_all_the_same),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_loopback),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
