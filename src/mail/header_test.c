#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "mail/header.h"

static void names_end_before_the_colon(void **state)
{
	(void)state;
	assert_true(str_eq(header_name(STR("To: a")), STR("To")));
	assert_true(str_eq(header_name(STR("To \t: a")), STR("To")));
	assert_true(str_eq(header_name(STR("X-!~:")), STR("X-!~")));
	assert_int_equal(header_name(STR("To")).n, 0);
	assert_int_equal(header_name(STR(": a")).n, 0);
	assert_int_equal(header_name(STR(" To: a")).n, 0);
	assert_int_equal(header_name(STR("From joe: a")).n, 0);
	assert_int_equal(header_name(STR("T\xe4: a")).n, 0);
	assert_int_equal(header_name(STR("T\x7f: a")).n, 0);
	assert_int_equal(header_name(STR("T\0: a")).n, 0);
	assert_true(str_eq(header_body(STR("To: a\n b\n")), STR(" a\n b\n")));
	assert_int_equal(header_body(STR("To")).n, 0);
}

/* What was found, with the data given in pieces of `step` bytes: "F<to: a\n>" and so on. */
static void split(struct str message, size_t step, struct buf *out)
{
	struct header_scan scan = { 0 };
	size_t start = 0, have = 0;

	for (;;) {
		struct str data = str_from(str_head(message, have), start), item;
		size_t before = data.n;
		enum header_item kind = header_take(&scan, &data, have == message.n, &item);

		start += before - data.n;
		if (kind == HEADER_MORE) {
			have = have + step < message.n ? have + step : message.n;
			continue;
		}
		buf_addc(out, "?FM-BE"[kind]);
		if (kind != HEADER_FIELD && kind != HEADER_MBOX_LINE)
			break;
		buf_addc(out, '<');
		buf_add(out, item);
		buf_addc(out, '>');
	}
	buf_addc(out, '|');
	buf_add(out, str_from(message, start));
}

static void expect(struct str message, const char *expected)
{
	struct buf b = BUF_INIT(10000);

	for (size_t step = 1; step <= message.n + 1; step++) {
		buf_clear(&b);
		split(message, step, &b);
		assert_string_equal(buf_cstr(&b), expected);
	}
	buf_free(&b);
}

static void headers_are_split_whatever_the_pieces(void **state)
{
	(void)state;
	expect(STR(""), "E|");
	expect(STR("\n"), "-|");
	expect(STR("a: b"), "F<a: b>E|");
	expect(STR("a: b\n"), "F<a: b\n>E|");
	expect(STR("a: b\n c\n\td\ne:f\n\nbody\n"), "F<a: b\n c\n\td\n>F<e:f\n>-|body\n");
	expect(STR("a: b\n  \nc: d\n"), "F<a: b\n  \n>F<c: d\n>E|");
	expect(STR("From x Thu\nFrom : y\n z\nFrom a: b\n"), "M<From x Thu\n>F<From : y\n z\n>M<From a: b\n>E|");
	expect(STR("a: b\nno field\nc: d\n"), "F<a: b\n>B|no field\nc: d\n");
	expect(STR(" a: b\n"), "B| a: b\n");
	expect(STR("a: b\r\n\r\nbody"), "F<a: b\r\n>B|\r\nbody");
	expect(STR("no field"), "B|no field");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_end_before_the_colon),
		cmocka_unit_test(headers_are_split_whatever_the_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
