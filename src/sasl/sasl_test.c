#include "sasl/sasl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void is_filled(struct sasl *s, const char *user, const char *password)
{
	assert_string_equal(buf_cstr(&s->user), user);
	assert_string_equal(buf_cstr(&s->password), password);
	sasl_free(s);
}

static void plain_comes_with_the_command_or_after_it(void **state)
{
	struct sasl s = SASL_INIT;

	(void)state;
	assert_int_equal(sasl_start(&s, STR("plain"), STR("AGFubgBvcGVuIHNlc2FtZQ==")), SASL_DONE);
	is_filled(&s, "ann", "open sesame");
	assert_int_equal(sasl_start(&s, STR("PLAIN"), STR("")), SASL_CONTINUE);
	assert_int_equal(s.challenge.n, 0);
	assert_int_equal(sasl_answer(&s, STR("YW5uAGFubgB4")), SASL_DONE);
	is_filled(&s, "ann", "x");
}

static void login_asks_twice(void **state)
{
	struct sasl s = SASL_INIT;

	(void)state;
	assert_int_equal(sasl_start(&s, STR("LOGIN"), STR("")), SASL_CONTINUE);
	assert_string_equal(buf_cstr(&s.challenge), "VXNlcm5hbWU6");
	assert_int_equal(sasl_answer(&s, STR("YW5u")), SASL_CONTINUE);
	assert_string_equal(buf_cstr(&s.challenge), "UGFzc3dvcmQ6");
	assert_int_equal(sasl_answer(&s, STR("")), SASL_DONE);
	is_filled(&s, "ann", "");
	assert_int_equal(sasl_start(&s, STR("LOGIN"), STR("YW5u")), SASL_CONTINUE);
	assert_int_equal(sasl_answer(&s, STR("eA==")), SASL_DONE);
	is_filled(&s, "ann", "x");
}

static void the_client_may_cancel(void **state)
{
	struct sasl s = SASL_INIT;

	(void)state;
	assert_int_equal(sasl_start(&s, STR("PLAIN"), STR("")), SASL_CONTINUE);
	assert_int_equal(sasl_answer(&s, STR("*")), SASL_CANCELLED);
	sasl_free(&s);
	assert_int_equal(sasl_start(&s, STR("CRAM-MD5"), STR("")), SASL_UNKNOWN);
}

static void malformed_answers_are_refused(void **state)
{
	/* no base64; no NULs; one NUL; no user; for somebody else; a NUL in the password */
	static const char *const bad[] = { "x", "YQ", "YW5u", "YQBi", "AAB4", "Ym9iAGFubgB4", "AGFubgB4AHk=", "=" };
	struct sasl s = SASL_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(sasl_start(&s, STR("PLAIN"), str_of(bad[i])), SASL_MALFORMED);
		sasl_free(&s);
	}
	assert_int_equal(sasl_start(&s, STR("LOGIN"), STR("=")), SASL_MALFORMED);
	sasl_free(&s);
	assert_int_equal(sasl_answer(&s, STR("YW5u")), SASL_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_comes_with_the_command_or_after_it),
		cmocka_unit_test(login_asks_twice),
		cmocka_unit_test(the_client_may_cancel),
		cmocka_unit_test(malformed_answers_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
