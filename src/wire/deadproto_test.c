#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "wire/deadproto.h"

static void test_what_is_put_is_got(void **state)
{
	struct dead_host in = { STR("2001:db8::1"), 1ull << 40, 7 }, out;
	struct buf b = BUF_INIT(1000);
	bool forget;

	(void)state;
	dead_put_host(&b, &in);
	assert_true(dead_get_host(buf_str(&b), &out));
	assert_true(str_eq(out.address, in.address) && out.seconds == in.seconds && out.timeouts == 7);
	assert_false(dead_get_question(buf_str(&b), &forget));
	for (size_t n = 0; n < b.n; n++)
		assert_false(dead_get_host(str_head(buf_str(&b), n), &out));
	buf_addc(&b, 0);
	assert_false(dead_get_host(buf_str(&b), &out));
	for (int i = 0; i < 2; i++) {
		buf_clear(&b);
		dead_put_question(&b, i == 1);
		assert_true(dead_get_question(buf_str(&b), &forget) && forget == (i == 1));
		assert_false(dead_get_question(str_head(buf_str(&b), 1), &forget));
		assert_false(dead_get_host(buf_str(&b), &out));
	}
	b.p[1] = 2;
	assert_false(dead_get_question(buf_str(&b), &forget));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_what_is_put_is_got) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
