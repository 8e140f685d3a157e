#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/delivery.h"
#include "wire/providerproto.h"

static void what_is_put_is_got(void **state)
{
	struct buf b = BUF_INIT(10000);
	struct provider_answer a = { STR("x.test"), STR("mx1.test mx2.test") }, got;
	struct delivery_result r;
	struct str host;

	(void)state;
	provider_put_question(&b, STR("x.test"));
	assert_true(provider_get_question(buf_str(&b), &host));
	assert_true(str_eq(host, STR("x.test")));
	assert_false(provider_get_answer(buf_str(&b), &got));
	assert_false(provider_get_question(str_head(buf_str(&b), b.n - 1), &host));
	buf_clear(&b);
	provider_put_answer(&b, &a);
	assert_true(provider_get_answer(buf_str(&b), &got));
	assert_true(str_eq(got.host, a.host) && str_eq(got.names, a.names));
	assert_false(provider_get_question(buf_str(&b), &host));
	assert_false(delivery_get_result(buf_str(&b), &r));
	buf_addc(&b, 0);
	assert_false(provider_get_answer(buf_str(&b), &got));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_put_is_got) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
