#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/date.h"
#include "base/hash.h"

static void views_split_and_compare(void **state)
{
	struct str rest = STR("a\nbc\n\nd"), line, before, after;
	uint64_t v = 7;

	(void)state;
	assert_true(str_next_line(&rest, &line) && str_eq(line, STR("a")));
	assert_true(str_next_line(&rest, &line) && str_eq(line, STR("bc")));
	assert_true(str_next_line(&rest, &line) && line.n == 0);
	assert_true(str_next_line(&rest, &line) && str_eq(line, STR("d")));
	assert_false(str_next_line(&rest, &line));
	assert_true(str_cut(STR("k:v:w"), ':', &before, &after));
	assert_true(str_eq(before, STR("k")) && str_eq(after, STR("v:w")));
	assert_true(str_ieq(STR("AbC"), STR("aBc")));
	assert_false(str_ieq(STR("@"), STR("`")));
	assert_true(str_like(STR("ab"), STR("ab")) && str_like(STR("ab"), STR("a*")) && str_like(STR(""), STR("*")));
	assert_false(str_like(STR("ab"), STR("a")) || str_like(STR("ab"), STR("b*")) || str_like(STR("ab"), STR("")));
	assert_int_equal(str_rchr(STR("a@b@c"), '@'), 3);
	assert_int_equal(str_rchr(STR("abc"), '@'), 3);
	assert_false(str_to_u64(STR("18446744073709551616"), &v));
	assert_int_equal(v, 7);
	assert_true(str_to_u64(STR("18446744073709551615"), &v) && v == UINT64_MAX);
	assert_false(str_to_u64(STR("+1"), &v));
	assert_false(str_to_u64(STR(""), &v));
}

static void a_buffer_keeps_its_limit(void **state)
{
	struct buf b = BUF_INIT(10);

	(void)state;
	buf_addz(&b, "12345");
	buf_addu(&b, 67890);
	assert_true(buf_ok(&b));
	buf_addc(&b, 'x');
	assert_false(buf_ok(&b));
	assert_int_equal(b.n, 10);
	assert_null(buf_room(&b, 0));
	buf_clear(&b);
	assert_string_equal(buf_cstr(&b), "");
	buf_addf(&b, "%s-%d", "ab", 5);
	buf_consume(&b, 3);
	assert_string_equal(buf_cstr(&b), "5");
	buf_add_visible(&b, STR("a b\n\177\377~"));
	assert_string_equal(buf_cstr(&b), "5a_b___~");
	buf_free(&b);
}

static void checksums_match_the_rfc(void **state)
{
	unsigned char zeros[32] = { 0 }, ones[32];

	(void)state;
	memset(ones, 0xff, sizeof ones);
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283u);
	assert_int_equal(crc32c(0, zeros, 32), 0x8a9136aau);
	assert_int_equal(crc32c(0, ones, 32), 0x62a8ab43u);
	assert_int_equal(crc32c(crc32c(0, "12345", 5), "6789", 4), 0xe3069283u);
}

static void dates_are_right_at_the_edges(void **state)
{
	static const int64_t times[] = { 0, -1, 951782400, 951868799, 4107542400, 1795255563, -62135596800 };
	struct buf b = BUF_INIT(100);

	(void)state;
	for (size_t i = 0; i < sizeof times / sizeof *times; i++)
		assert_int_equal(date_seconds(date_of(times[i])), times[i]);
	assert_int_equal(date_of(0).weekday, 4);
	assert_int_equal(date_of(-86400).weekday, 3);
	date_add_822(&b, 951782400);
	assert_string_equal(buf_cstr(&b), "29 Feb 2000 00:00:00 -0000");
	buf_clear(&b);
	date_add_mbox(&b, 1795171523);
	assert_string_equal(buf_cstr(&b), "Fri Nov 20 10:45:23 2026");
	buf_clear(&b);
	date_add_compact(&b, 0);
	assert_string_equal(buf_cstr(&b), "19700101000000");
	buf_free(&b);
}

static void hashes_depend_on_the_key(void **state)
{
	struct hash_key a = { 1, 2 }, b = { 1, 3 };

	(void)state;
	assert_true(hash_str(a, STR("example.org")) != hash_str(b, STR("example.org")));
	assert_true(hash_str(a, STR("a")) != hash_str(a, STR("b")));
	assert_true(hash_str(a, STR("")) == hash_str(a, STR("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(views_split_and_compare),  cmocka_unit_test(a_buffer_keeps_its_limit),
		cmocka_unit_test(checksums_match_the_rfc),  cmocka_unit_test(dates_are_right_at_the_edges),
		cmocka_unit_test(hashes_depend_on_the_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
