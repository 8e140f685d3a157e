#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mail/dsn.h"
#include "smtpserver/smtparg.h"

static enum smtparg_result parse(const char *text, struct smtparg *a)
{
	return smtparg_parse(str_of(text), SMTPARG_PLAIN, a);
}

static void is(const char *text, const char *address)
{
	struct smtparg a = SMTPARG_INIT;

	if (parse(text, &a) != SMTPARG_OK)
		fail_msg("%s is refused", text);
	assert_string_equal(buf_cstr(&a.address), address);
	buf_free(&a.address);
}

static void refused(const char *text, enum smtparg_result why)
{
	struct smtparg a = SMTPARG_INIT;

	if (parse(text, &a) != why)
		fail_msg("%s gives %s", text, buf_cstr(&a.address));
	buf_free(&a.address);
}

static void addresses_as_qmail_reads_them(void **state)
{
	(void)state;
	is("TO:<a@OK.test>", "a@OK.test");
	is("TO:<noat>", "noat");
	is("TO: joe@ok.test SIZE=3", "joe@ok.test");
	is("TO:joe@ok.test", "joe@ok.test");
	is("TO:<@r1:\"a b\"@ok.test>", "a b@ok.test");
	is("TO:<@r1,@r2:u@d>", "u@d");
	is("<x@ok.test", "x@ok.test");
	is("FROM:<>", "");
	is("FROM: <>", "");
	is("FROM:", "");
	is("", "");
	is("FROM:< >", "");
	is("FROM:< a@b >", "a@b");
	is("FROM:<#@[]>", "#@[]");
	is("FROM:<a\\@b@c>", "a@b@c");
	is("FROM:<a\\\"b@c>", "a\"b@c");
	is("FROM:<\"a>b\"@c>", "a>b@c");
	is("FROM:<\"a\\\"b\"@c>", "a\"b@c");
	is("FROM:<list-@host-@[]>", "list-@host-@[]");
	is("FROM:<a@[IPv6:::1]>", "a@[IPv6:::1]");
	is("FROM:<a@[1.2.3.4>", "a@[1.2.3.4");
	is("FROM:<j\xc3\xb6rg@b>", "j\xc3\xb6rg@b");
	is("FROM:Joe <a@b>", "a@b");
}

static void hostile_addresses_are_refused(void **state)
{
	(void)state;
	refused("TO:<\"\"@d>", SMTPARG_SYNTAX);
	refused("TO:<@>", SMTPARG_SYNTAX);
	refused("TO:<a@>", SMTPARG_SYNTAX);
	refused("TO:<@d>", SMTPARG_SYNTAX);
	refused("TO:<@d", SMTPARG_SYNTAX);
	refused("TO:<a b@c>", SMTPARG_SYNTAX);
	refused("TO:<a\tb@c>", SMTPARG_SYNTAX);
	refused("TO:<a\001@c>", SMTPARG_SYNTAX);
	refused("TO:<a\177@c>", SMTPARG_SYNTAX);
	refused("TO:<\"a\\\r\"@c>", SMTPARG_SYNTAX);
	refused("TO:<\"a@b>", SMTPARG_SYNTAX);
	refused("TO:<a@b\\", SMTPARG_SYNTAX);
	refused("TO:<a@\"b@c\">", SMTPARG_SYNTAX);
	refused("TO:<\"a@b\">", SMTPARG_SYNTAX);
	refused("joe@ok.test", SMTPARG_SYNTAX);
}

static void parameters_are_checked(void **state)
{
	struct smtparg a = SMTPARG_INIT;

	(void)state;
	assert_int_equal(parse("FROM:<a@b> size=12 Body=8bitmime", &a), SMTPARG_OK);
	assert_true(a.size_given && a.size == 12 && a.body_8bit);
	assert_int_equal(parse("FROM:<a@b>  BODY=7BIT ", &a), SMTPARG_OK);
	assert_true(!a.size_given && a.body_given && !a.body_8bit);
	assert_int_equal(parse("FROM:<a@b> SIZE=18446744073709551616", &a), SMTPARG_OK);
	assert_true(a.size == UINT64_MAX);
	buf_free(&a.address);
	refused("FROM:<a@b> SIZE=-1", SMTPARG_BAD_VALUE);
	refused("FROM:<a@b> SIZE=", SMTPARG_BAD_VALUE);
	refused("FROM:<a@b> SIZE", SMTPARG_BAD_VALUE);
	refused("FROM:<a@b> SIZE=0x10", SMTPARG_BAD_VALUE);
	refused("FROM:<a@b> SIZE=1 SIZE=1", SMTPARG_BAD_VALUE);
	refused("FROM:<a@b> SIZE=184467440737095516160", SMTPARG_BAD_VALUE);
	refused("FROM:<a@b> BODY=?", SMTPARG_BAD_VALUE);
	refused("FROM:<a@b> BODY=7BIT BODY=8BITMIME", SMTPARG_BAD_VALUE);
	refused("FROM:<a@b> X=", SMTPARG_SYNTAX);
	refused("FROM:<a@b>garbage", SMTPARG_SYNTAX);
	refused("FROM:<> AUTH=\"", SMTPARG_SYNTAX);
	refused("FROM:<> =\"", SMTPARG_SYNTAX);
	/* The brackets of a parameter are not those of the address. */
	refused("FROM:a@b AUTH=<>", SMTPARG_SYNTAX);
}

static void wish(const char *text, enum smtparg_set set, enum smtparg_result expected)
{
	struct smtparg a = SMTPARG_INIT;

	if (smtparg_parse(str_of(text), set, &a) != expected)
		fail_msg("%s", text);
	buf_free(&a.address);
}

static void wishes_for_notifications(void **state)
{
	struct smtparg a = SMTPARG_INIT;

	(void)state;
	assert_int_equal(smtparg_parse(STR("FROM:<a@b> RET=hdrs SIZE=3 envid=Q+2B1"), SMTPARG_MAIL, &a), SMTPARG_OK);
	assert_int_equal(a.ret, DSN_RET_HDRS);
	assert_true(str_eq(a.envid, STR("Q+2B1")) && a.size == 3);
	assert_int_equal(smtparg_parse(STR("TO:<a@b> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x@y"), SMTPARG_RCPT, &a),
			 SMTPARG_OK);
	assert_int_equal(a.notify, DSN_SUCCESS | DSN_DELAY);
	assert_true(str_eq(a.orcpt, STR("rfc822;x@y")) && a.envid.n == 0 && a.ret == 0);
	buf_free(&a.address);
	wish("FROM:<a@b> RET=ALL", SMTPARG_MAIL, SMTPARG_BAD_VALUE);
	wish("FROM:<a@b> RET=FULL RET=FULL", SMTPARG_MAIL, SMTPARG_BAD_VALUE);
	wish("FROM:<a@b> ENVID=", SMTPARG_MAIL, SMTPARG_BAD_VALUE);
	wish("FROM:<a@b> ENVID=a ENVID=b", SMTPARG_MAIL, SMTPARG_BAD_VALUE);
	wish("FROM:<a@b> NOTIFY=NEVER", SMTPARG_MAIL, SMTPARG_SYNTAX);
	wish("TO:<a@b> RET=FULL", SMTPARG_RCPT, SMTPARG_SYNTAX);
	wish("TO:<a@b> ENVID=a", SMTPARG_RCPT, SMTPARG_SYNTAX);
	wish("TO:<a@b> NOTIFY=", SMTPARG_RCPT, SMTPARG_BAD_VALUE);
	wish("TO:<a@b> NOTIFY=NEVER,SUCCESS", SMTPARG_RCPT, SMTPARG_BAD_VALUE);
	wish("TO:<a@b> NOTIFY=NEVER NOTIFY=NEVER", SMTPARG_RCPT, SMTPARG_BAD_VALUE);
	wish("TO:<a@b> ORCPT=x@y", SMTPARG_RCPT, SMTPARG_BAD_VALUE);
	wish("TO:<a@b> ORCPT=rfc822;x+0A", SMTPARG_RCPT, SMTPARG_BAD_VALUE);
	wish("FROM:<a@b> RET=FULL", SMTPARG_PLAIN, SMTPARG_SYNTAX);
	wish("TO:<a@b> NOTIFY=NEVER", SMTPARG_PLAIN, SMTPARG_SYNTAX);
}

static void the_domain_is_behind_the_last_at(void **state)
{
	struct smtparg a = SMTPARG_INIT;

	(void)state;
	assert_int_equal(parse("<a@b@c>", &a), SMTPARG_OK);
	assert_int_equal(a.at, 3);
	assert_true(a.many_at);
	assert_int_equal(parse("<\"a@b\"@c>", &a), SMTPARG_OK);
	assert_int_equal(a.at, 3);
	assert_false(a.many_at);
	assert_int_equal(parse("<a>", &a), SMTPARG_OK);
	assert_int_equal(a.at, 1);
	buf_free(&a.address);
}

static void the_limit_is_899_bytes(void **state)
{
	struct buf text = BUF_INIT(5000);
	struct smtparg a = SMTPARG_INIT;

	(void)state;
	for (int n = 890; n < 910; n++) {
		buf_clear(&text);
		buf_addz(&text, "TO:<");
		for (int i = 0; i < n - 2; i++)
			buf_addc(&text, 'x');
		buf_addz(&text, "@c>");
		assert_int_equal(smtparg_parse(buf_str(&text), SMTPARG_RCPT, &a),
				 n <= 899 ? SMTPARG_OK : SMTPARG_SYNTAX);
	}
	buf_free(&text);
	buf_free(&a.address);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_as_qmail_reads_them), cmocka_unit_test(hostile_addresses_are_refused),
		cmocka_unit_test(parameters_are_checked),        cmocka_unit_test(the_domain_is_behind_the_last_at),
		cmocka_unit_test(the_limit_is_899_bytes),        cmocka_unit_test(wishes_for_notifications),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
