#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mail/dsn.h"

static void notify(const char *value, int expected)
{
	uint8_t got = 0;
	bool ok = dsn_parse_notify(str_of(value), &got);

	if (ok ? got != expected : expected != -1)
		fail_msg("NOTIFY=%s: %d", value, ok ? got : -1);
}

static void notify_values(void **state)
{
	(void)state;
	notify("NEVER", DSN_NEVER);
	notify("never", DSN_NEVER);
	notify("SUCCESS,failure,Delay", DSN_SUCCESS | DSN_FAILURE | DSN_DELAY);
	notify("DELAY,DELAY", DSN_DELAY);
	notify("", -1);
	notify(",", -1);
	notify("SUCCESS,", -1);
	notify(",SUCCESS", -1);
	notify("SUCCESS,,DELAY", -1);
	notify("NEVER,DELAY", -1);
	notify("SUCCESS DELAY", -1);
	notify("MAYBE", -1);
}

static void ret_values(void **state)
{
	uint8_t ret;

	(void)state;
	assert_true(dsn_parse_ret(STR("full"), &ret));
	assert_int_equal(ret, DSN_RET_FULL);
	assert_true(dsn_parse_ret(STR("HDRS"), &ret));
	assert_int_equal(ret, DSN_RET_HDRS);
	assert_false(dsn_parse_ret(STR("HDR"), &ret));
	assert_false(dsn_parse_ret(STR(""), &ret));
}

static void envids(void **state)
{
	char longest[DSN_ENVID_MAX + 2];

	(void)state;
	assert_true(dsn_envid_ok(STR("QQ314159")));
	assert_true(dsn_envid_ok(STR("a+20b+2B+3D")));
	assert_false(dsn_envid_ok(STR("")));
	assert_false(dsn_envid_ok(STR("a=b")));
	assert_false(dsn_envid_ok(STR("a b")));
	assert_false(dsn_envid_ok(STR("a+2")));
	assert_false(dsn_envid_ok(STR("a+2b")));
	assert_false(dsn_envid_ok(STR("a+0AX")));
	assert_false(dsn_envid_ok(STR("a+7F")));
	assert_false(dsn_envid_ok(STR("a+E4")));
	assert_false(dsn_envid_ok(STR("\xe4")));
	memset(longest, 'x', sizeof longest);
	assert_true(dsn_envid_ok((struct str){ longest, DSN_ENVID_MAX }));
	assert_false(dsn_envid_ok((struct str){ longest, DSN_ENVID_MAX + 1 }));
}

static void orcpts(void **state)
{
	char longest[DSN_ORCPT_MAX + 1];

	(void)state;
	assert_true(dsn_orcpt_ok(STR("rfc822;joe@a.test")));
	assert_true(dsn_orcpt_ok(STR("RFC822;joe+2Bx@a.test")));
	assert_true(dsn_orcpt_ok(STR("utf-8;j\\x{F6}+2B@a.test")) == false);
	assert_true(dsn_orcpt_ok(STR("utf-8;j\\x{F6}\\x{2B}@a.test")));
	assert_true(dsn_orcpt_ok(STR("utf-8;j\xc3\xb6@a.test")));
	assert_false(dsn_orcpt_ok(STR("rfc822;j\xc3\xb6@a.test")));
	assert_false(dsn_orcpt_ok(STR("utf-8;j\xc3@a.test")));
	assert_false(dsn_orcpt_ok(STR("utf-8;j\\x{A}@a.test")));
	assert_false(dsn_orcpt_ok(STR("utf-8;j\\x{0A}@a.test")));
	assert_false(dsn_orcpt_ok(STR("utf-8;j\\x{D800}@a.test")));
	assert_false(dsn_orcpt_ok(STR("utf-8;j\\x{110000}@a.test")));
	assert_false(dsn_orcpt_ok(STR("utf-8;j\\x{F6@a.test")));
	assert_false(dsn_orcpt_ok(STR("joe@a.test")));
	assert_false(dsn_orcpt_ok(STR("rfc822;")));
	assert_false(dsn_orcpt_ok(STR(";joe@a.test")));
	assert_false(dsn_orcpt_ok(STR("rfc 822;joe@a.test")));
	assert_false(dsn_orcpt_ok(STR("rfc822;joe+0D+0AX: y@a.test")));
	assert_false(dsn_orcpt_ok(STR("rfc822;joe+0D+0AX@a.test")));
	memset(longest, 'x', sizeof longest);
	memcpy(longest, "rfc822;", 7);
	assert_true(dsn_orcpt_ok((struct str){ longest, DSN_ORCPT_MAX }));
	assert_false(dsn_orcpt_ok((struct str){ longest, DSN_ORCPT_MAX + 1 }));
}

static void written(void **state)
{
	struct buf b = BUF_INIT(100);

	(void)state;
	dsn_add_notify(&b, DSN_SUCCESS | DSN_DELAY);
	dsn_add_notify(&b, 0);
	buf_addc(&b, ' ');
	dsn_add_notify(&b, DSN_NEVER);
	buf_addc(&b, ' ');
	dsn_add_ret(&b, DSN_RET_HDRS);
	dsn_add_ret(&b, DSN_RET_ANY);
	dsn_add_ret(&b, DSN_RET_FULL);
	assert_string_equal(buf_cstr(&b), "SUCCESS,DELAY NEVER HDRSFULL");
	buf_free(&b);
}

static void sent_on(void **state)
{
	(void)state;
	assert_int_equal(dsn_notify_forward(0), 0);
	assert_int_equal(dsn_notify_forward(DSN_NEVER), DSN_NEVER);
	assert_int_equal(dsn_notify_forward(DSN_SUCCESS), DSN_NEVER);
	assert_int_equal(dsn_notify_forward(DSN_SUCCESS | DSN_FAILURE), DSN_FAILURE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(notify_values), cmocka_unit_test(ret_values), cmocka_unit_test(envids),
		cmocka_unit_test(orcpts),        cmocka_unit_test(written),    cmocka_unit_test(sent_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
