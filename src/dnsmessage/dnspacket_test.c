#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dnsmessage/dnsname.h"
#include "dnsmessage/dnspacket.h"

enum { A = 1, CNAME = 5, PTR = 12, MX = 15, TXT = 16, AAAA = 28, TLSA = 52 };

static struct buf packet;

static void put16(unsigned v)
{
	buf_addc(&packet, (char)(v >> 8));
	buf_addc(&packet, (char)v);
}

/* A packet that asks for x.test; the name stands at 12. */
static void begin(unsigned flags, unsigned answers)
{
	buf_clear(&packet);
	packet.limit = 100000;
	put16(1);
	put16(0x8180 | flags);
	put16(1);
	put16(answers);
	put16(0);
	put16(0);
	buf_add(&packet, STR("\1X\4test\0\0\1\0\1"));
}

static void put_rr(struct str owner, unsigned type, struct str rdata)
{
	buf_add(&packet, owner);
	put16(type);
	put16(1);
	put16(0);
	put16(300);
	put16((unsigned)rdata.n);
	buf_add(&packet, rdata);
}

#define OWNER STR("\300\14")

static enum dns_outcome read_as(enum dns_type type, struct dnspacket_set *set)
{
	dnspacket_read(buf_str(&packet), type, set);
	return set->outcome;
}

static enum dns_outcome outcome(enum dns_type type)
{
	struct dnspacket_set set;
	enum dns_outcome o = read_as(type, &set);

	dnspacket_set_free(&set);
	return o;
}

/* One record with this RDATA: what comes of it? */
static enum dns_outcome single(enum dns_type type, unsigned rrtype, struct str rdata)
{
	begin(0, 1);
	put_rr(OWNER, rrtype, rdata);
	return outcome(type);
}

static void test_outcomes(void **state)
{
	(void)state;
	begin(0, 0);
	assert_int_equal(outcome(DNS_A), DNS_NO_DATA);
	begin(3, 0);
	assert_int_equal(outcome(DNS_A), DNS_NO_NAME);
	for (unsigned rcode = 1; rcode < 16; rcode++) {
		begin(rcode, 0);
		assert_int_equal(outcome(DNS_A), rcode == 3 ? DNS_NO_NAME : DNS_TEMPORARY);
	}
	begin(0x0200, 0);
	assert_int_equal(outcome(DNS_A), DNS_TEMPORARY);
	for (size_t n = 0; n < 12; n++) {
		begin(0, 0);
		buf_truncate(&packet, n);
		assert_int_equal(outcome(DNS_A), DNS_TEMPORARY);
	}
}

/* Only a clean answer is definite. */
static void test_no_such_name_with_records(void **state)
{
	struct dnspacket_set set;

	(void)state;
	begin(3, 1);
	put_rr(OWNER, A, STR("\1\2\3\4"));
	assert_int_equal(read_as(DNS_A, &set), DNS_TEMPORARY);
	assert_int_equal(set.n, 0);
	dnspacket_set_free(&set);
	assert_int_equal(outcome(DNS_MX), DNS_NO_NAME);
	begin(3, 1);
	put_rr(OWNER, A, STR("\1\2"));
	assert_int_equal(outcome(DNS_A), DNS_TEMPORARY);
	begin(3, 1);
	put_rr(OWNER, MX, STR("\0\0\0"));
	assert_int_equal(outcome(DNS_MX), DNS_TEMPORARY);
	/* It is the alias's target that does not exist. */
	begin(3, 1);
	put_rr(OWNER, CNAME, STR("\1y\300\16"));
	assert_int_equal(outcome(DNS_A), DNS_NO_NAME);
	begin(3, 0);
	buf_truncate(&packet, 14);
	assert_int_equal(outcome(DNS_A), DNS_TEMPORARY);
}

static void test_rdata_of_every_length(void **state)
{
	static const char bytes[40];

	(void)state;
	for (size_t n = 0; n < sizeof bytes; n++) {
		struct str rdata = { bytes, n };

		assert_int_equal(single(DNS_A, A, rdata), n == 4 ? DNS_FOUND : DNS_TEMPORARY);
		assert_int_equal(single(DNS_AAAA, AAAA, rdata), n == 16 ? DNS_FOUND : DNS_TEMPORARY);
		assert_int_equal(single(DNS_MX, MX, rdata), n == 3 ? DNS_NULL_MX : DNS_TEMPORARY);
		assert_int_equal(single(DNS_TXT, TXT, rdata), n ? DNS_FOUND : DNS_TEMPORARY);
		assert_int_equal(single(DNS_PTR, PTR, rdata), DNS_TEMPORARY);
		assert_int_equal(single(DNS_TLSA, TLSA, rdata), n > 3 ? DNS_FOUND : DNS_TEMPORARY);
	}
}

static void test_names_in_rdata(void **state)
{
	static const struct str bad[] = {
		STR("\0\1\3ab"),       /* label beyond the end */
		STR("\0\1\3abc"),      /* no end */
		STR("\0\1\3abc\0x"),   /* something left over */
		STR("\0\1\300"),       /* half a pointer */
		STR("\0\1\300\377"),   /* pointer beyond the packet */
		STR("\0\1\300\55"),    /* pointer to itself */
		STR("\0\1\1a\300\53"), /* loop */
		STR("\0\1\100aaaa\0"), /* reserved label type */
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(single(DNS_MX, MX, bad[i]), DNS_TEMPORARY);
	assert_int_equal(single(DNS_MX, MX, STR("\0\1\2ab\300\14")), DNS_FOUND);
}

static void test_order_and_fields(void **state)
{
	struct dnspacket_set set;

	(void)state;
	begin(0, 5);
	put_rr(OWNER, MX, STR("\0\24\1b\300\14"));
	put_rr(OWNER, MX, STR("\0\12\1z\300\16"));
	put_rr(OWNER, 46, STR("signature of no interest"));
	put_rr(OWNER, MX, STR("\0\12\1Y\0"));
	put_rr(STR("\1y\4test\0"), MX, STR("\0\1\1o\0"));
	assert_int_equal(read_as(DNS_MX, &set), DNS_FOUND);
	assert_true(set.n == 3 && set.ttl == 300);
	assert_true(set.records[0].preference == 10 && str_eq(set.records[0].name, STR("y")));
	assert_true(set.records[1].preference == 10 && str_eq(set.records[1].name, STR("z.test")));
	assert_true(set.records[2].preference == 20 && str_eq(set.records[2].name, STR("b.x.test")));
	dnspacket_set_free(&set);
}

static void test_a_null_mx_among_others_is_skipped(void **state)
{
	struct dnspacket_set set;

	(void)state;
	begin(0, 2);
	put_rr(OWNER, MX, STR("\0\0\0"));
	put_rr(OWNER, MX, STR("\0\5\1m\0"));
	assert_int_equal(read_as(DNS_MX, &set), DNS_FOUND);
	assert_int_equal(set.n, 1);
	dnspacket_set_free(&set);
}

static void test_malformed_records_are_skipped(void **state)
{
	struct dnspacket_set set;

	(void)state;
	begin(0, 2);
	put_rr(OWNER, A, STR("abc"));
	put_rr(OWNER, A, STR("abcd"));
	assert_int_equal(read_as(DNS_A, &set), DNS_FOUND);
	assert_true(set.n == 1 && str_eq(set.records[0].data, STR("abcd")));
	dnspacket_set_free(&set);
}

static void put_chain(int links)
{
	begin(0, (unsigned)links + 1);
	for (int i = 0; i < links; i++) {
		char from[] = { 1, (char)('a' + i - 1), 0 }, to[] = { 1, (char)('a' + i), 0 };

		put_rr(i ? (struct str){ from, 3 } : OWNER, CNAME, (struct str){ to, 3 });
	}
	put_rr((struct str){ (char[]){ 1, (char)('a' + links - 1), 0 }, 3 }, A, STR("abcd"));
}

static void test_aliases(void **state)
{
	(void)state;
	put_chain(DNSPACKET_ALIASES_MAX);
	assert_int_equal(outcome(DNS_A), DNS_FOUND);
	put_chain(DNSPACKET_ALIASES_MAX + 1);
	assert_int_equal(outcome(DNS_A), DNS_TEMPORARY);
	begin(0, 2);
	put_rr(OWNER, CNAME, STR("\1a\0"));
	put_rr(STR("\1a\0"), CNAME, OWNER);
	assert_int_equal(outcome(DNS_A), DNS_TEMPORARY);
	begin(0, 1);
	put_rr(OWNER, CNAME, STR("\1a\0"));
	assert_int_equal(outcome(DNS_A), DNS_NO_DATA);
}

static void test_text_is_joined(void **state)
{
	struct dnspacket_set set;

	(void)state;
	begin(0, 1);
	put_rr(OWNER, TXT, STR("\3abc\0\2de"));
	assert_int_equal(read_as(DNS_TXT, &set), DNS_FOUND);
	assert_true(str_eq(set.records[0].data, STR("abcde")));
	dnspacket_set_free(&set);
	assert_int_equal(single(DNS_TXT, TXT, STR("\3ab")), DNS_TEMPORARY);
}

static void test_a_packet_cut_anywhere_is_never_definite(void **state)
{
	size_t whole;

	(void)state;
	begin(0, 1);
	put_rr(OWNER, A, STR("abcd"));
	whole = packet.n;
	for (size_t n = 0; n < whole; n++) {
		begin(0, 1);
		put_rr(OWNER, A, STR("abcd"));
		buf_truncate(&packet, n);
		assert_int_equal(outcome(DNS_A), DNS_TEMPORARY);
	}
}

static void test_names_as_text(void **state)
{
	struct buf out = BUF_INIT(DNSNAME_MAX * 4);
	struct dnsname name;
	size_t at = 0;

	(void)state;
	assert_true(dnsname_read(STR("\5a.b\\c\3\0 \377\0"), &at, &name));
	assert_int_equal(at, 11);
	dnsname_text(&name, &out);
	assert_string_equal(buf_cstr(&out), "a\\.b\\\\c.\\000\\032\\255");
	assert_true(dnsname_text_valid(buf_str(&out)));
	buf_free(&out);
}

/* Each is read in a few steps, whatever stands behind it. */
static void test_pointers_to_pointers(void **state)
{
	struct buf chain = BUF_INIT(1000);
	struct dnsname name;

	(void)state;
	buf_add(&chain, STR("\1a\0\0"));
	for (unsigned n = 0; n < 200; n++) {
		size_t at = chain.n;

		buf_addc(&chain, (char)(192 | (n ? at - 2 : 0) >> 8));
		buf_addc(&chain, (char)(n ? at - 2 : 0));
		assert_int_equal(dnsname_read(buf_str(&chain), &at, &name), n < DNSNAME_MAX / 2);
	}
	buf_free(&chain);
}

static void test_what_may_be_a_name(void **state)
{
	static const char *const good[] = { "a", "a.b", "a.b.", "a\\.b", "\\255.x", "_x.y-z", "1.2" };
	static const char *const bad[] = { "", ".", "..", "a..b", ".a", "\\", "a\\25", "\\256.x", "a.\\" };
	struct buf name = BUF_INIT(1000);

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(dnsname_text_valid(str_of(good[i])));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(dnsname_text_valid(str_of(bad[i])));
	for (size_t n = 1; n < 300; n++) {
		buf_addc(&name, n % 2 ? 'a' : '.');
		/* "a.a.a": 253 bytes of text are 255 on the wire. */
		assert_int_equal(dnsname_text_valid(buf_str(&name)), n <= 254);
	}
	buf_clear(&name);
	for (size_t n = 1; n < 70; n++) {
		buf_addc(&name, 'a');
		assert_int_equal(dnsname_text_valid(buf_str(&name)), n <= 63);
	}
	buf_free(&name);
}

static int free_packet(void **state)
{
	(void)state;
	buf_free(&packet);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_no_such_name_with_records),
		cmocka_unit_test(test_rdata_of_every_length),
		cmocka_unit_test(test_names_in_rdata),
		cmocka_unit_test(test_order_and_fields),
		cmocka_unit_test(test_a_null_mx_among_others_is_skipped),
		cmocka_unit_test(test_malformed_records_are_skipped),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_text_is_joined),
		cmocka_unit_test(test_a_packet_cut_anywhere_is_never_definite),
		cmocka_unit_test(test_names_as_text),
		cmocka_unit_test(test_pointers_to_pointers),
		cmocka_unit_test(test_what_may_be_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, free_packet);
}
