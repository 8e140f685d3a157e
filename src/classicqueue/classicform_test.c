#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "classicqueue/classicform.h"

static struct buf seen = { .limit = SIZE_MAX };

static void see(void *ctx, struct str address, bool done)
{
	(void)ctx;
	buf_addf(&seen, "%c%.*s ", done ? 'D' : 'T', STR_ARG(address));
}

static void see_failure(void *ctx, struct str address, struct str text)
{
	(void)ctx;
	buf_addf(&seen, "[%.*s|%.*s]", STR_ARG(address), STR_ARG(text));
}

static void assert_seen(const char *expected)
{
	assert_string_equal(buf_cstr(&seen), expected);
	buf_clear(&seen);
}

static void envelopes_are_read(void **state)
{
	struct classic_todo t;
	struct str sender;

	(void)state;
	assert_true(classic_info(STR("Fa@b\0"), &sender));
	assert_true(str_eq(sender, STR("a@b")));
	assert_true(classic_info(STR("F\0"), &sender));
	assert_int_equal(sender.n, 0);
	assert_true(classic_channel(STR("Dok@r\0Ttemp@r\0"), see, NULL));
	assert_seen("Dok@r Ttemp@r ");
	assert_true(classic_channel(STR(""), see, NULL));
	assert_true(classic_todo(STR("u1000\0p77\0Fx@y\0Tlog\0Tjoe@a\0"), &t, see, NULL));
	assert_seen("Tlog Tjoe@a ");
	assert_true(t.uid == 1000 && t.pid == 77 && str_eq(t.sender, STR("x@y")));
}

static void other_bytes_are_refused(void **state)
{
	struct classic_todo t;
	struct str sender;

	(void)state;
	assert_false(classic_info(STR(""), &sender));
	assert_false(classic_info(STR("Fa@b"), &sender));
	assert_false(classic_info(STR("Ta@b\0"), &sender));
	assert_false(classic_info(STR("Fa@b\0Fc\0"), &sender));
	assert_false(classic_channel(STR("Tx@y\0Kz\0"), see, NULL));
	assert_false(classic_channel(STR("Tx@y"), see, NULL));
	assert_false(classic_channel(STR("\0"), see, NULL));
	buf_clear(&seen);
	assert_false(classic_todo(STR("u1\0p2\0Tx\0"), &t, see, NULL));
	assert_false(classic_todo(STR("ux\0p2\0Fx\0"), &t, see, NULL));
	assert_false(classic_todo(STR("u1\0p99999999999\0Fx\0"), &t, see, NULL));
	assert_false(classic_todo(STR("u1\0p1\0Fx\0Fy\0"), &t, see, NULL));
	buf_clear(&seen);
}

static void failures_are_read(void **state)
{
	(void)state;
	classic_bounce(STR("<a@b>:\nNo such user.\nReally.\n\n<c@d>:\nTwo\n\n"), see_failure, NULL);
	assert_seen("[a@b|No such user.\nReally.\n][c@d|Two\n]");
	classic_bounce(STR("<a@b>:\n\n<c@d>:\nx"), see_failure, NULL);
	assert_seen("[a@b|][c@d|x]");
	classic_bounce(STR("strange\nwords\n\n<c@d>:\nx\n\n"), see_failure, NULL);
	assert_seen("[|strange\nwords\n][c@d|x\n]");
	classic_bounce(STR(""), see_failure, NULL);
	classic_bounce(STR("\n\n"), see_failure, NULL);
	assert_seen("");
}

static void what_is_written_is_read_again(void **state)
{
	struct buf b = BUF_INIT(1000);
	struct str sender;

	(void)state;
	classic_put_info(&b, STR("x@y"));
	assert_true(classic_info(buf_str(&b), &sender) && str_eq(sender, STR("x@y")));
	buf_clear(&b);
	classic_put_recipient(&b, STR("a@b"), true);
	classic_put_recipient(&b, STR("c@d"), false);
	assert_true(classic_channel(buf_str(&b), see, NULL));
	assert_seen("Da@b Tc@d ");
	buf_clear(&b);
	classic_put_bounce(&b, STR("a\nb@c"), STR("one\n\ntwo"));
	classic_put_bounce(&b, STR("d@e"), STR(""));
	classic_put_bounce(&b, STR("f@g"), STR("x\n"));
	assert_string_equal(buf_cstr(&b), "<a_b@c>:\none\n/two\n\n<d@e>:\n\n<f@g>:\nx\n\n");
	classic_bounce(buf_str(&b), see_failure, NULL);
	assert_seen("[a_b@c|one\n/two\n][d@e|][f@g|x\n]");
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(envelopes_are_read),
		cmocka_unit_test(other_bytes_are_refused),
		cmocka_unit_test(failures_are_read),
		cmocka_unit_test(what_is_written_is_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
