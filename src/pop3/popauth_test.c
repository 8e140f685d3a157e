#include "pop3/popauth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct popauth a;
static struct buf out;

static int setup(void **state)
{
	(void)state;
	a = POPAUTH_INIT;
	a.stamp = "<1.2@pop.host>";
	out = BUF_INIT(10000);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	popauth_free(&a);
	buf_free(&out);
	return 0;
}

static void says(const char *line, enum popauth_next next, const char *reply)
{
	buf_clear(&out);
	assert_int_equal(popauth_line(&a, str_of(line), &out), next);
	assert_string_equal(buf_cstr(&out), reply);
}

static void credentials_are(struct str expected)
{
	assert_int_equal(a.credentials.n, expected.n);
	assert_memory_equal(a.credentials.p, expected.p, expected.n);
}

static void user_and_pass(void **state)
{
	(void)state;
	popauth_greet(&a, &out);
	assert_string_equal(buf_cstr(&out), "+OK <1.2@pop.host>\r\n");
	says("PASS x", POPAUTH_LINE, "-ERR USER first\r\n");
	says("USER", POPAUTH_LINE, "-ERR syntax error\r\n");
	says("user u", POPAUTH_LINE, "+OK \r\n");
	says("PASS", POPAUTH_LINE, "-ERR syntax error\r\n");
	says("PASS  p w ", POPAUTH_LOGIN, "");
	credentials_are(STR("u\0p w \0<1.2@pop.host>\0"));
}

static void apop(void **state)
{
	(void)state;
	says("APOP u", POPAUTH_LINE, "-ERR syntax error\r\n");
	says("APOP u 0123", POPAUTH_LOGIN, "");
	credentials_are(STR("u\0"
			    "0123\0<1.2@pop.host>\0"));
}

static void sasl(void **state)
{
	(void)state;
	says("AUTH", POPAUTH_LINE, "+OK \r\nPLAIN\r\nLOGIN\r\n.\r\n");
	says("AUTH GSSAPI", POPAUTH_LINE, "-ERR unknown mechanism\r\n");
	says("AUTH PLAIN", POPAUTH_LINE, "+ \r\n");
	says("*", POPAUTH_LINE, "-ERR authorization cancelled\r\n");
	says("AUTH PLAIN AGFubgB4", POPAUTH_LOGIN, "");
	credentials_are(STR("ann\0x\0<1.2@pop.host>\0"));
	says("AUTH LOGIN", POPAUTH_LINE, "+ VXNlcm5hbWU6\r\n");
	says("YW5u", POPAUTH_LINE, "+ UGFzc3dvcmQ6\r\n");
	says("eA==", POPAUTH_LOGIN, "");
	credentials_are(STR("ann\0x\0<1.2@pop.host>\0"));
	says("AUTH PLAIN !", POPAUTH_LINE, "-ERR syntax error\r\n");
	says("NOOP", POPAUTH_LINE, "+OK \r\n");
}

static void tls_forgets_what_came_before(void **state)
{
	(void)state;
	says("STLS", POPAUTH_LINE, "-ERR TLS is not available\r\n");
	a.tls_offered = true;
	says("USER u", POPAUTH_LINE, "+OK \r\n");
	says("STLS x", POPAUTH_LINE, "-ERR syntax error\r\n");
	says("STLS", POPAUTH_TLS, "+OK begin TLS\r\n");
	popauth_secure(&a);
	says("PASS x", POPAUTH_LINE, "-ERR USER first\r\n");
	says("STLS", POPAUTH_LINE, "-ERR TLS is active already\r\n");
}

static void passwords_wait_for_tls_where_they_must(void **state)
{
	(void)state;
	a.tls_offered = a.tls_required = true;
	says("USER u", POPAUTH_LINE, "-ERR STLS first\r\n");
	says("AUTH PLAIN AGFubgB4", POPAUTH_LINE, "-ERR STLS first\r\n");
	says("APOP u x", POPAUTH_LINE, "-ERR STLS first\r\n");
	buf_clear(&out);
	popauth_line(&a, STR("CAPA"), &out);
	assert_non_null(strstr(buf_cstr(&out), "\r\nSTLS\r\n"));
	assert_null(strstr(buf_cstr(&out), "SASL"));
	assert_null(strstr(buf_cstr(&out), "USER\r\nSASL"));
	popauth_secure(&a);
	buf_clear(&out);
	popauth_line(&a, STR("CAPA"), &out);
	assert_null(strstr(buf_cstr(&out), "STLS"));
	assert_non_null(strstr(buf_cstr(&out), "\r\nUSER\r\nSASL PLAIN LOGIN\r\n"));
	says("USER u", POPAUTH_LINE, "+OK \r\n");
}

static void everything_else_needs_a_login(void **state)
{
	(void)state;
	says("STAT", POPAUTH_LINE, "-ERR authorization first\r\n");
	says("", POPAUTH_LINE, "-ERR authorization first\r\n");
	says("UTF8", POPAUTH_LINE, "+OK \r\n");
	says("QUIT", POPAUTH_END, "+OK \r\n");
}

static void a_nul_is_no_part_of_a_name(void **state)
{
	(void)state;
	buf_clear(&out);
	popauth_line(&a, STR("USER a\0b"), &out);
	buf_clear(&out);
	assert_int_equal(popauth_line(&a, STR("PASS x"), &out), POPAUTH_LINE);
	assert_string_equal(buf_cstr(&out), "-ERR syntax error\r\n");
}

static void nonsense_without_end_is_ended(void **state)
{
	int n = 0;

	(void)state;
	while (popauth_line(&a, STR("XYZZY"), &out) == POPAUTH_LINE && n < 1000)
		n++;
	assert_in_range(n, 10, 100);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(user_and_pass),
		TEST(apop),
		TEST(sasl),
		TEST(tls_forgets_what_came_before),
		TEST(passwords_wait_for_tls_where_they_must),
		TEST(everything_else_needs_a_login),
		TEST(a_nul_is_no_part_of_a_name),
		TEST(nonsense_without_end_is_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
