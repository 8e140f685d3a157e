#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/base64.h"

/* RFC 4648 §10. */
static const struct {
	const char *plain, *coded;
} pairs[] = {
	{ "", "" },
	{ "f", "Zg==" },
	{ "fo", "Zm8=" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
	{ "\377\376\375", "//79" },
};

static void test_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct buf b = BUF_INIT(100);

		base64_encode(&b, str_of(pairs[i].plain));
		assert_string_equal(buf_cstr(&b), pairs[i].coded);
		buf_clear(&b);
		assert_true(base64_decode(&b, str_of(pairs[i].coded)));
		assert_string_equal(buf_cstr(&b), pairs[i].plain);
		buf_free(&b);
	}
}

static void test_what_is_not_base64(void **state)
{
	static const char *const bad[] = { "Z",    "Zg",   "Zg=",  "Zh==", "Zm9=", "Zg==Zg==",
					   "====", "Z===", "Zm 9", "Zm9-", "=m9v" };
	struct buf b = BUF_INIT(100), small = BUF_INIT(2);

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(base64_decode(&b, str_of(bad[i])));
	assert_false(base64_decode(&small, STR("Zm9v")));
	assert_false(base64_decode(&b, (struct str){ "Zm\0v", 4 }));
	buf_free(&b);
	buf_free(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_what_is_not_base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
