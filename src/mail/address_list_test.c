#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mail/address_list.h"

static void note(void *ctx, struct token_list *address)
{
	struct buf *seen = ctx;

	buf_addc(seen, '{');
	tokens_add_plain(seen, address->t, address->n);
	buf_addc(seen, '}');
}

/* Parses body; *seen gets its addresses in the order they were met, *written the field again. */
static bool parse(struct str body, struct buf *seen, struct buf *written)
{
	struct token_list in = { 0 }, out = { 0 };
	bool ok = tokens_scan(&in, body) && address_list_parse(&in, &out, note, seen);

	if (ok) {
		buf_addz(written, "To:");
		tokens_write(written, out.t, out.n, 3, 80);
	}
	tokens_free(&in);
	tokens_free(&out);
	return ok;
}

static void expect(const char *body, const char *addresses, const char *field)
{
	struct buf seen = BUF_INIT(10000), written = BUF_INIT(10000);

	assert_true(parse(str_of(body), &seen, &written));
	assert_string_equal(buf_cstr(&seen), addresses);
	assert_string_equal(buf_cstr(&written), field);
	buf_free(&seen);
	buf_free(&written);
}

static void addresses_are_found_from_right_to_left(void **state)
{
	(void)state;
	expect("", "", "To:");
	expect(" \n", "", "To:");
	expect("a", "{a}", "To: a");
	expect("a@b,c@d\n", "{c@d}{a@b}", "To: a@b, c@d");
	expect("a @ b . c", "{a@b.c}", "To: a@b.c");
	expect("J. Q. Doe <a@b>", "{a@b}", "To: J. Q. Doe <a@b>");
	expect("\"J, D\" <a@b>", "{a@b}", "To: \"J, D\" <a@b>");
	expect("a@x <b@y>", "{b@y}", "To: a@x <b@y>");
	expect("<>", "{}", "To: <>");
	expect("<@r1,@r2:z@h.com>", "{@r1,@r2:z@h.com}", "To: <@r1, @r2: z@h.com>");
	expect("\"a b\"@c", "{a b@c}", "To: \"a b\"@c");
	expect("a@[1.2.3.4]", "{a@[1.2.3.4]}", "To: a@[1.2.3.4]");
	expect("a@b,,c,", "{c}{a@b}", "To: a@b, , c,");
}

static void missing_commas_are_filled_in(void **state)
{
	(void)state;
	expect("a b", "{b}{a}", "To: a, b");
	expect("a@b c@d", "{c@d}{a@b}", "To: a@b, c@d");
	expect("<a> <b>", "{b}{a}", "To: <a>, <b>");
	expect("<a> b", "{b}{a}", "To: <a>, b");
	expect("g: a; b", "{b}{a}", "To: g: a;, b");
	expect("g: a; h: b;", "{b}{a}", "To: g: a;, h: b;");
	expect("<a> g: b;", "{b}{a}", "To: <a>, g: b;");
	expect("a; b", "{b}{a}", "To: a;, b");
}

static void comments_are_kept(void **state)
{
	(void)state;
	expect("(c) a", "{a}", "To: a (c)");
	expect("a (b (c) \\( d), e", "{e}{a}", "To: a (b (c) \\( d), e");
	expect("a (b\n c)", "{a}", "To: a (b c)");
	expect("a (b\\\n)", "{a}", "To: a (b)");
	expect("<a (c) @ b>", "{a@b}", "To: <a@b (c)>");
	expect("N (c) <a>", "{a}", "To: N (c) <a>");
}

static void groups_are_understood(void **state)
{
	(void)state;
	expect("recipient list not shown: ;", "", "To: recipient list not shown: ;");
	expect("g: x, y;, z", "{z}{y}{x}", "To: g: x, y;, z");
	expect("g: A <x>, B <y>;", "{y}{x}", "To: g: A <x>, B <y>;");
}

static void tokens_are_written_in_one_form(void **state)
{
	(void)state;
	expect("a\\ b@c", "{a b@c}", "To: \"a b\"@c");
	expect("a)@b", "{a)@b}", "To: \"a)\"@b");
	expect("\"\\a\\\"\\\\\"", "{a\"\\}", "To: \"a\\\"\\\\\"");
	expect("\"a\n b\"", "{a b}", "To: \"a b\"");
	expect("a\\\n", "{a}", "To: \"a\"");
	expect("\xc3\xa4 <\xc3\xb6@\xc3\xbc.test>", "{\xc3\xb6@\xc3\xbc.test}",
	       "To: \xc3\xa4 <\xc3\xb6@\xc3\xbc.test>");
}

static void long_fields_are_folded_after_commas(void **state)
{
	(void)state;
	/* The comma is the 80th byte of the first line; one more byte and it would go to the next. */
	expect("aaaaaaaaaaaaaaaaaaaaaaaaa@b.test, cccccccccccccccccccccccccccccccccc@d.test, e@f",
	       "{e@f}{cccccccccccccccccccccccccccccccccc@d.test}{aaaaaaaaaaaaaaaaaaaaaaaaa@b.test}",
	       "To: aaaaaaaaaaaaaaaaaaaaaaaaa@b.test, cccccccccccccccccccccccccccccccccc@d.test,\n  e@f");
	expect("aaaaaaaaaaaaaaaaaaaaaaaaa@b.test, ccccccccccccccccccccccccccccccccccc@d.test, e@f",
	       "{e@f}{ccccccccccccccccccccccccccccccccccc@d.test}{aaaaaaaaaaaaaaaaaaaaaaaaa@b.test}",
	       "To: aaaaaaaaaaaaaaaaaaaaaaaaa@b.test,\n  ccccccccccccccccccccccccccccccccccc@d.test, e@f");
}

static void malformed_fields_are_told(void **state)
{
	static const char *const bad[] = {
		"a (b",     "a \"b", "a@[b", "a )", "a ]",   "a\\",   "a: b", ":",
		"a: b: c;", "a;b;c", "a>",   "<a",  "<a>b>", "<a<b>", ">",    "<",
	};
	struct buf seen = BUF_INIT(10000), written = BUF_INIT(10000);

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (parse(str_of(bad[i]), &seen, &written))
			fail_msg("accepted: %s", bad[i]);
	buf_free(&seen);
	buf_free(&written);
}

/* Texts made to exhaust the stack or to take quadratic time (CVE-2002-1337 and its kin). */
static void hostile_texts_cost_linear_time(void **state)
{
	static const struct {
		const char *unit;
		bool ok;
	} texts[] = { { "<>", true }, { "(", false }, { "\"", true },     { "a ", true },      { "a,", true },
		      { "<", false }, { ":", false }, { "a@b <", false }, { "\xff\\", false }, { "@,", true } };
	enum { REPEAT = 1000000 };

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct buf body = BUF_INIT(SIZE_MAX), seen = BUF_INIT(SIZE_MAX), written = BUF_INIT(SIZE_MAX);

		for (int k = 0; k < REPEAT; k++)
			buf_addz(&body, texts[i].unit);
		assert_int_equal(parse(buf_str(&body), &seen, &written), texts[i].ok);
		buf_free(&body);
		buf_free(&seen);
		buf_free(&written);
	}
}

static void deep_comments_do_not_nest_calls(void **state)
{
	struct buf body = BUF_INIT(SIZE_MAX), seen = BUF_INIT(SIZE_MAX), written = BUF_INIT(SIZE_MAX);

	(void)state;
	for (int i = 0; i < 1000000; i++)
		buf_addc(&body, '(');
	for (int i = 0; i < 1000000; i++)
		buf_addc(&body, ')');
	assert_true(parse(buf_str(&body), &seen, &written));
	assert_int_equal(written.n, body.n + 4);
	buf_free(&body);
	buf_free(&seen);
	buf_free(&written);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_found_from_right_to_left),
		cmocka_unit_test(missing_commas_are_filled_in),
		cmocka_unit_test(comments_are_kept),
		cmocka_unit_test(groups_are_understood),
		cmocka_unit_test(tokens_are_written_in_one_form),
		cmocka_unit_test(long_fields_are_folded_after_commas),
		cmocka_unit_test(malformed_fields_are_told),
		cmocka_unit_test(hostile_texts_cost_linear_time),
		cmocka_unit_test(deep_comments_do_not_nest_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
