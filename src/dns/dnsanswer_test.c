#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dns/dnsanswer.h"
#include "wire/wire.h"

static struct dns_answer sample(void)
{
	struct dns_answer a = { .id = 7, .outcome = DNS_FOUND, .security = DNS_SECURE, .cut = true, .ttl = 60, .n = 5 };

	a.why = STR("words");
	a.source = STR("the cache");
	a.records[0] =
	    (struct dns_record){ .type = DNS_MX, .preference = 65535, .name = STR("mx.test"), .data = STR("") };
	a.records[1] = (struct dns_record){ .type = DNS_A, .name = STR("mx.test"), .data = STR("\x7f\0\0\1") };
	a.records[2] = (struct dns_record){ .type = DNS_AAAA, .name = STR(""), .data = STR("0123456789abcdef") };
	a.records[3] = (struct dns_record){ .type = DNS_TXT, .name = STR(""), .data = STR("a\0b") };
	a.records[4] = (struct dns_record){ .type = DNS_TLSA, .name = STR(""), .data = STR("\3\1\1x") };
	return a;
}

static void test_an_answer_comes_back(void **state)
{
	struct dns_answer a = sample(), b;
	struct buf packet = BUF_INIT(100000);

	(void)state;
	dns_put_answer(&packet, &a);
	assert_true(dns_get_answer(buf_str(&packet), &b));
	assert_true(b.id == 7 && b.outcome == DNS_FOUND && b.security == DNS_SECURE && b.cut && b.ttl == 60 &&
		    b.n == 5);
	assert_true(str_eq(b.why, a.why) && str_eq(b.source, a.source));
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(b.records[i].type, a.records[i].type);
		assert_int_equal(b.records[i].preference, a.records[i].preference);
		assert_true(str_eq(b.records[i].name, a.records[i].name));
		assert_true(str_eq(b.records[i].data, a.records[i].data));
	}
	buf_free(&packet);
}

static void test_every_shorter_or_longer_packet_is_refused(void **state)
{
	struct dns_answer a = sample(), b;
	struct buf packet = BUF_INIT(100000);

	(void)state;
	dns_put_answer(&packet, &a);
	for (size_t n = 0; n < packet.n; n++)
		assert_false(dns_get_answer(str_head(buf_str(&packet), n), &b));
	buf_addc(&packet, 0);
	assert_false(dns_get_answer(buf_str(&packet), &b));
	buf_free(&packet);
}

/* What a resolver that was taken over might send. */
static void test_lies_are_refused(void **state)
{
	struct buf packet = BUF_INIT(100000);
	struct dns_answer b;
	struct dns_answer lies[9];

	(void)state;
	for (size_t i = 0; i < 9; i++)
		lies[i] = sample();
	lies[0].outcome = DNS_OUTCOME_LAST + 1;
	lies[1].security = DNS_SECURITY_LAST + 1;
	lies[2].records[1].data = STR("\x7f\0\0");
	lies[3].records[2].data = STR("0123456789abcdefg");
	lies[4].records[0].type = DNS_MAIL;
	lies[5].records[0].name = STR("a\0b");
	lies[6].records[0].data = STR("x");
	lies[7].records[0].outcome = DNS_OUTCOME_LAST + 1;
	lies[8].records[4].data = STR("\3\1\1");
	for (size_t i = 0; i < 9; i++) {
		buf_clear(&packet);
		dns_put_answer(&packet, &lies[i]);
		assert_false(dns_get_answer(buf_str(&packet), &b));
	}
	buf_free(&packet);
}

static void test_too_many_records_are_refused(void **state)
{
	struct buf packet = BUF_INIT(100000);
	struct dns_answer a = sample(), b;

	(void)state;
	a.n = 0;
	dns_put_answer(&packet, &a);
	assert_true(dns_get_answer(buf_str(&packet), &b));
	buf_truncate(&packet, packet.n - 4);
	wire_put_u32(&packet, DNS_RECORDS_MAX + 1);
	for (size_t i = 0; i <= DNS_RECORDS_MAX; i++)
		buf_add(&packet, STR("\1\0\0\0\0\0\0\0\0\0\0\4\0\0\0abcd"));
	assert_false(dns_get_answer(buf_str(&packet), &b));
	buf_free(&packet);
}

static void test_questions(void **state)
{
	struct dns_question q = { 9, DNS_MAIL, STR("a.test") }, r;
	struct buf packet = BUF_INIT(100000);

	(void)state;
	dns_put_question(&packet, &q);
	assert_true(dns_get_question(buf_str(&packet), &r));
	assert_true(r.id == 9 && r.type == DNS_MAIL && str_eq(r.name, q.name));
	for (size_t n = 0; n < packet.n; n++)
		assert_false(dns_get_question(str_head(buf_str(&packet), n), &r));
	packet.p[5] = 0;
	assert_false(dns_get_question(buf_str(&packet), &r));
	packet.p[5] = DNS_TYPE_LAST + 1;
	assert_false(dns_get_question(buf_str(&packet), &r));
	buf_free(&packet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_answer_comes_back),
		cmocka_unit_test(test_every_shorter_or_longer_packet_is_refused),
		cmocka_unit_test(test_lies_are_refused),
		cmocka_unit_test(test_too_many_records_are_refused),
		cmocka_unit_test(test_questions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
