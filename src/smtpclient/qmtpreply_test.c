#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "smtpclient/qmtpreply.h"

static enum qmtpreply_state feed(struct str input, size_t piece, char *letter, struct buf *text)
{
	enum qmtpreply_state state = QMTPREPLY_MORE;
	struct qmtpreply r = { 0 };

	for (; input.n && state == QMTPREPLY_MORE; input = str_from(input, piece)) {
		struct str part = str_head(input, piece);

		state = qmtpreply_feed(&r, &part, text);
	}
	*letter = r.letter;
	return state;
}

static void test_replies(void **state)
{
	static const struct {
		struct str in;
		enum qmtpreply_state state;
		char letter;
		const char *text;
	} rows[] = {
		{ STR("3:Kok,"), QMTPREPLY_COMPLETE, 'K', "ok" },
		{ STR("1:D,"), QMTPREPLY_COMPLETE, 'D', "" },
		{ STR("5:Za\r\n\1,"), QMTPREPLY_COMPLETE, 'Z', "a?\n?" },
		{ STR("3:Kok"), QMTPREPLY_MORE, 'K', "ok" },
		{ STR("12"), QMTPREPLY_MORE, 0, "" },
		{ STR("3:Kok."), QMTPREPLY_BAD, 'K', "ok" },
		{ STR("3:xok,"), QMTPREPLY_BAD, 'x', "" },
		{ STR("0:,"), QMTPREPLY_BAD, 0, "" },
		{ STR("03:Kok,"), QMTPREPLY_BAD, 0, "" },
		{ STR(":Kok,"), QMTPREPLY_BAD, 0, "" },
		{ STR("65537:K"), QMTPREPLY_BAD, 0, "" },
		{ STR("99999999999999999999999999:K"), QMTPREPLY_BAD, 0, "" },
		{ STR("-1:K,"), QMTPREPLY_BAD, 0, "" },
		{ STR("220 hi\r\n"), QMTPREPLY_BAD, 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t piece = 1; piece < 8; piece++) {
			struct buf text = BUF_INIT(10000);
			char letter;

			assert_int_equal(feed(rows[i].in, piece, &letter, &text), rows[i].state);
			assert_int_equal(letter, rows[i].letter);
			assert_string_equal(buf_cstr(&text), rows[i].text);
			buf_free(&text);
		}
}

static void test_one_after_the_other(void **state)
{
	struct buf text = BUF_INIT(10000);
	struct str input = STR("3:Kok,4:Dbad,1:");
	struct qmtpreply r = { 0 };

	(void)state;
	assert_int_equal(qmtpreply_feed(&r, &input, &text), QMTPREPLY_COMPLETE);
	assert_string_equal(buf_cstr(&text), "ok");
	assert_int_equal(qmtpreply_feed(&r, &input, &text), QMTPREPLY_COMPLETE);
	assert_string_equal(buf_cstr(&text), "bad");
	assert_int_equal(qmtpreply_feed(&r, &input, &text), QMTPREPLY_MORE);
	assert_true(input.n == 0 && text.n == 0);
	buf_free(&text);
}

static void test_long_texts_are_cut(void **state)
{
	static char in[60010];
	struct buf text = BUF_INIT(10000);
	struct str input = { in, (size_t)snprintf(in, sizeof in, "60000:K") };
	struct qmtpreply r = { 0 };

	(void)state;
	memset(in + input.n, 'x', 59999);
	input.n += 59999;
	in[input.n++] = ',';
	assert_int_equal(qmtpreply_feed(&r, &input, &text), QMTPREPLY_COMPLETE);
	assert_int_equal(text.n, QMTPREPLY_KEEP);
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_one_after_the_other),
		cmocka_unit_test(test_long_texts_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
