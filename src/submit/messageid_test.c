#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "submit/messageid.h"

/* In one piece and byte by byte. */
static void check(struct str message, const char *expected)
{
	struct messageid whole = { 0 }, bytes = { 0 };

	messageid_feed(&whole, message);
	for (size_t i = 0; i < message.n; i++)
		messageid_feed(&bytes, (struct str){ message.p + i, 1 });
	if (!str_eq(messageid_value(&whole), str_of(expected)) || !str_eq(messageid_value(&bytes), str_of(expected)))
		fail_msg("%.*s: %.*s, not %s", STR_ARG(message), STR_ARG(messageid_value(&whole)), expected);
}

static void the_field_is_found(void **state)
{
	(void)state;
	check(STR("Message-ID: <a@b>\n\nx"), "<a@b>");
	check(STR("Received: x\n\tby y\nMESSAGE-Id:<a@b>\nSubject: y\n"), "<a@b>");
	check(STR("Mess: 1\nMessage-Id:\n <a@b>\n"), "<a@b>");
	check(STR("Message-ID: <a@b> (comment)\n"), "<a@b>");
}

static void nothing_else_is(void **state)
{
	(void)state;
	check(STR(""), "");
	check(STR("\nMessage-ID: <a@b>\n"), "");
	check(STR("Subject: Message-ID: <a@b>\n\n"), "");
	check(STR("X: y\n Message-ID: <a@b>\n\n"), "");
	check(STR("Message-ID: a@b\n\n"), "");
	check(STR("Message-ID: <a b>\n\n"), "");
	check(STR("Message-ID: <a@b"), "");
	check(STR("Message-ID: <\x80>\n"), "");
	check(STR("Message-ID: <>\n"), "");
}

static void it_is_bounded(void **state)
{
	static char text[MESSAGEID_SEARCHED + 100];
	struct messageid m = { 0 };

	(void)state;
	memset(text, 'x', sizeof text);
	memcpy(text, "Message-ID: <", 13);
	messageid_feed(&m, (struct str){ text, sizeof text });
	assert_int_equal(messageid_value(&m).n, 0);
	m = (struct messageid){ 0 };
	memset(text, 'x', sizeof text);
	memcpy(text + MESSAGEID_SEARCHED, "\nMessage-ID: <a@b>\n", 19);
	messageid_feed(&m, (struct str){ text, sizeof text });
	assert_int_equal(messageid_value(&m).n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_field_is_found),
		cmocka_unit_test(nothing_else_is),
		cmocka_unit_test(it_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
