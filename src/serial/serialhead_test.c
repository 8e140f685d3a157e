#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "serial/serialhead.h"

static void parsed(const char *text, const char *prefix, const char *sender, const char *recipient, const char *rest)
{
	struct serialhead h = SERIALHEAD_INIT;
	bool ok = serialhead_parse(str_of(text), str_of(prefix), &h);

	assert_int_equal(ok, sender != NULL);
	if (ok) {
		assert_string_equal(buf_cstr(&h.sender), sender);
		assert_string_equal(buf_cstr(&h.recipient), recipient);
		assert_string_equal(text + h.length, rest);
	}
	serialhead_free(&h);
}

#define BOTH "Return-Path: <s@x>\nDelivered-To: alias-ppp-r@y\n"

static void heads(void **state)
{
	(void)state;
	parsed(BOTH "Subject: a\n", "alias-ppp-", "s@x", "r@y", "Subject: a\n");
	parsed(BOTH, "", "s@x", "alias-ppp-r@y", "");
	parsed(BOTH, "alias-ppq-", NULL, NULL, NULL);
	parsed("Return-Path: <>\nDelivered-To: r\n\n", "", "", "r", "\n");
	parsed("Return-Path: <#@[]>\nDelivered-To: r\n", "r", "#@[]", "", "");
	parsed("Return-Path: <\"a b\\\"\\\\c\"@x>\nDelivered-To: r s@y\n", "", "a b\"\\c@x", "r s@y", "");
	parsed("Return-Path: <s@x>\nDelivered-To: r@y", "", NULL, NULL, NULL);
	parsed("Return-Path: <s@x>\nSubject: r@y\n", "", NULL, NULL, NULL);
	parsed("Return-Path: s@x\nDelivered-To: r@y\n", "", NULL, NULL, NULL);
	parsed("Delivered-To: r@y\nReturn-Path: <s@x>\n", "", NULL, NULL, NULL);
	parsed("", "", NULL, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
