#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "smtpclient/clientauth.h"

static const struct str user = { "tim", 3 }, password = { "tanstaaftanstaaf", 16 };

static void test_choice(void **state)
{
	(void)state;
	assert_int_equal(auth_choose(0, true), 0);
	assert_int_equal(auth_choose(EHLO_PLAIN | EHLO_LOGIN | EHLO_CRAM_MD5, true), EHLO_PLAIN);
	assert_int_equal(auth_choose(EHLO_PLAIN | EHLO_LOGIN | EHLO_CRAM_MD5, false), EHLO_CRAM_MD5);
	assert_int_equal(auth_choose(EHLO_LOGIN | EHLO_CRAM_MD5, true), EHLO_LOGIN);
	assert_int_equal(auth_choose(EHLO_CRAM_MD5, true), EHLO_CRAM_MD5);
}

static void test_plain_and_login(void **state)
{
	struct buf b = BUF_INIT(1000);

	(void)state;
	auth_begin(EHLO_PLAIN, user, password, &b);
	assert_string_equal(buf_cstr(&b), "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n");
	assert_false(auth_continue(EHLO_PLAIN, 0, STR("334 \n"), user, password, &b));
	buf_clear(&b);
	auth_begin(EHLO_LOGIN, user, password, &b);
	assert_true(auth_continue(EHLO_LOGIN, 0, STR("334 VXNlcm5hbWU6\n"), user, password, &b));
	assert_true(auth_continue(EHLO_LOGIN, 1, STR("334 UGFzc3dvcmQ6\n"), user, password, &b));
	assert_false(auth_continue(EHLO_LOGIN, 2, STR("334 x\n"), user, password, &b));
	assert_string_equal(buf_cstr(&b), "AUTH LOGIN\r\ndGlt\r\ndGFuc3RhYWZ0YW5zdGFhZg==\r\n");
	buf_free(&b);
}

/* RFC 2195 §2. */
static void test_cram_md5(void **state)
{
	struct buf b = BUF_INIT(1000);

	(void)state;
	assert_true(auth_continue(EHLO_CRAM_MD5, 0,
				  STR("334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\n"), user, password,
				  &b));
	assert_string_equal(buf_cstr(&b), "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\r\n");
	assert_false(auth_continue(EHLO_CRAM_MD5, 1, STR("334 PDE4\n"), user, password, &b));
	assert_false(auth_continue(EHLO_CRAM_MD5, 0, STR("334 ?\n"), user, password, &b));
	assert_false(auth_continue(EHLO_CRAM_MD5, 0, STR("334"), user, password, &b) && b.n == 0);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_plain_and_login),
		cmocka_unit_test(test_cram_md5),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
