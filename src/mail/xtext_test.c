#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mail/xtext.h"

static void there_and_back(void **state)
{
	struct buf all = BUF_INIT(256), text = BUF_INIT(1000), back = BUF_INIT(256);

	(void)state;
	for (int c = 0; c < 256; c++)
		buf_addc(&all, (char)c);
	xtext_encode(&text, buf_str(&all));
	for (size_t i = 0; i < text.n; i++)
		assert_in_range(text.p[i], 33, 126);
	assert_true(xtext_decode(&back, buf_str(&text)));
	assert_true(str_eq(buf_str(&all), buf_str(&back)));
	buf_clear(&text);
	xtext_encode(&text, STR("a+b=c d\xe4"));
	assert_string_equal(buf_cstr(&text), "a+2Bb+3Dc+20d+E4");
	buf_free(&all);
	buf_free(&text);
	buf_free(&back);
}

static void what_is_no_xtext(void **state)
{
	static const char *const bad[] = { "a b", "a=b", "+", "+4", "+4g", "+4a", "\xe4", "\n", "\x7f" };
	struct buf b = BUF_INIT(10);

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(xtext_decode(&b, str_of(bad[i])));
	buf_clear(&b);
	assert_false(xtext_decode(&b, STR("12345678901")));
	buf_free(&b);
}

static void utf8(void **state)
{
	struct buf b = BUF_INIT(100);

	(void)state;
	assert_true(xtext_decode_utf8(&b, STR("\\x{41}\\x{e9}\\x{20AC}\\x{1F600}")));
	assert_string_equal(buf_cstr(&b), "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
	assert_true(utf8_valid(buf_str(&b)));
	assert_false(xtext_decode_utf8(&b, STR("\\x{}")));
	assert_false(xtext_decode_utf8(&b, STR("\\x41")));
	assert_false(xtext_decode_utf8(&b, STR("\\")));
	assert_false(utf8_valid(STR("\xc0\xaf")));
	assert_false(utf8_valid(STR("\xed\xa0\x80")));
	assert_false(utf8_valid(STR("\xe0\x80\xaf")));
	assert_false(utf8_valid(STR("\xf4\x90\x80\x80")));
	assert_false(utf8_valid(STR("a\xc3")));
	assert_false(utf8_valid(STR("\x80")));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(what_is_no_xtext),
		cmocka_unit_test(utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
