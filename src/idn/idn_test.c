#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "idn/idn.h"

static void test_names(void **state)
{
	static const char *const rows[][2] = {
		{ "bücher.example", "xn--bcher-kva.example" },
		{ "BÜCHER.example", "xn--bcher-kva.example" },
		{ "bu\xcc\x88"
		  "cher.example",
		  "xn--bcher-kva.example" },
		{ "straße.de", "xn--strae-oqa.de" },
		{ "παράδειγμα.δοκιμή", "xn--hxajbheg2az3al.xn--jxalpdlp" },
		{ "plain.example", "plain.example" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf b = BUF_INIT(1000);

		assert_true(idn_to_ascii(&b, str_of(rows[i][0])));
		assert_string_equal(buf_cstr(&b), rows[i][1]);
		buf_free(&b);
	}
	assert_true(idn_needed(str_of("bücher.example")) && !idn_needed(STR("plain.example")));
}

static void test_what_is_no_name(void **state)
{
	struct buf b = BUF_INIT(1000);
	char all[1500];

	(void)state;
	assert_false(idn_to_ascii(&b, STR("\xff.example")));
	assert_false(idn_to_ascii(&b, STR("b\xc3")));
	assert_false(idn_to_ascii(&b, (struct str){ "\xc3\xbc\0x", 4 }));
	assert_false(idn_to_ascii(&b, STR("\xe2\x80\x8b")));
	memset(all, 'a', sizeof all);
	assert_false(idn_to_ascii(&b, (struct str){ all, sizeof all }));
	assert_int_equal(b.n, 0);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_what_is_no_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
