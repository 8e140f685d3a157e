#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mail/address_token.h"

/* The kinds of the tokens, a letter each; "!" when the text is malformed. */
static void kinds(const char *text, const char *expected)
{
	static const char letters[TOKEN_KINDS + 1] = "aqlc<>@,;:.";
	struct token_list list = { 0 };
	struct buf b = BUF_INIT(1000);

	if (tokens_scan(&list, str_of(text)))
		for (size_t i = 0; i < list.n; i++)
			buf_addc(&b, letters[list.t[i].kind]);
	else
		buf_addc(&b, '!');
	assert_string_equal(buf_cstr(&b), expected);
	tokens_free(&list);
	buf_free(&b);
}

static void text_is_split_into_tokens(void **state)
{
	(void)state;
	kinds("", "");
	kinds(" \t\r\n", "");
	kinds("a.b@c", "a.a@a");
	kinds("\"a\" <b>, c;:", "q<a>,a;:");
	kinds("a(b)c[d]e\"f\"g", "acalaqa");
	kinds("a\\ b\\,c", "a");
	kinds("\"\\\"\"", "q");
	kinds("(()())", "c");
	kinds("([)\"(]\")", "!");
	kinds("[[]", "l");
	kinds("a)b]", "a");
	kinds(")", "!");
	kinds("a\\", "!");
	kinds("\"a\\\"", "!");
	kinds("(\\)", "!");
}

static void plain(const char *text, const char *expected)
{
	struct token_list list = { 0 };
	struct buf b = BUF_INIT(1000);

	assert_true(tokens_scan(&list, str_of(text)));
	tokens_add_plain(&b, list.t, list.n);
	assert_string_equal(buf_cstr(&b), expected);
	tokens_free(&list);
	buf_free(&b);
}

static void plain_text_has_no_escapes_and_no_line_ends(void **state)
{
	(void)state;
	plain("a . b @ c", "a.b@c");
	plain("\"a \\\"b\\\\\" (comment) @[1.2\\].3]", "a \"b\\@[1.2].3]");
	plain("\"a\r\n b\\\n\"@c", "a b@c");
	plain("<@x,y:z;>", "<@x,y:z;>");
}

static void marks_can_be_added(void **state)
{
	struct token_list list = { 0 };
	struct buf b = BUF_INIT(100);

	(void)state;
	assert_true(tokens_scan(&list, STR("a")));
	tokens_add_mark(&list, TOKEN_COMMA);
	tokens_add(&list, list.t[0]);
	tokens_write(&b, list.t, list.n, 0, 0);
	assert_string_equal(buf_cstr(&b), "a, a");
	tokens_free(&list);
	assert_int_equal(list.n, 0);
	buf_free(&b);
}

static void writing_respects_the_limit(void **state)
{
	struct token_list list = { 0 };

	(void)state;
	assert_true(tokens_scan(&list, STR("aaaa, bbbb, cccc, (dddd), \"eeee\"")));
	for (size_t limit = 0; limit < 34; limit++) {
		struct buf b = BUF_INIT(limit);

		tokens_write(&b, list.t, list.n, 3, 8);
		assert_false(buf_ok(&b));
		assert_true(b.n <= limit);
		buf_free(&b);
	}
	tokens_free(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_split_into_tokens),
		cmocka_unit_test(plain_text_has_no_escapes_and_no_line_ends),
		cmocka_unit_test(marks_can_be_added),
		cmocka_unit_test(writing_respects_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
