#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mailbox/glance.h"

static void shows(struct str message, const char *want)
{
	struct buf b = BUF_INIT(1000);

	glance_text(&b, message);
	assert_string_equal(buf_cstr(&b), want);
	buf_free(&b);
}

static void shows_subject_and_body(void **state)
{
	(void)state;
	shows(STR("From: x\nsubject:  Hello\n  there\nX: y\n\none\n\ntwo  three\n"), "Hello there one two three");
	shows(STR("From: x\n\nbody\n"), "body");
	shows(STR("Subject: s\n"), "s");
	shows(STR(""), "");
	shows(STR("Subject: \33[2J\a\200\n\n"), "?[2J??");
	shows(STR("Subject: 0123456789012345678901234567890123456789012345678901234567890123456789\n\nabcdefghijk\n"),
	      "0123456789012345678901234567890123456789012345678901234567890123456789 abcdefg");
}

static void finds_fields(void **state)
{
	struct buf b = BUF_INIT(1000);

	(void)state;
	glance_field(&b, STR("A: 1\nReturn-Path: <x@\ty>\nreturn-path: z\n\nB: 2\n"), STR("Return-Path"));
	assert_string_equal(buf_cstr(&b), "<x@ y>");
	glance_field(&b, STR("A: 1\n\nB: 2\n"), STR("B"));
	assert_string_equal(buf_cstr(&b), "<x@ y>");
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_subject_and_body),
		cmocka_unit_test(finds_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
