#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "smtpclient/ehlo.h"
#include "smtpclient/smtpreply.h"

static const struct {
	struct str in;
	enum smtpreply_state state;
	int code;
	struct str text;
} cases[] = {
	{ STR("250 ok\r\n"), SMTPREPLY_COMPLETE, 250, STR("250 ok\n") },
	{ STR("250 ok\n"), SMTPREPLY_COMPLETE, 250, STR("250 ok\n") },
	{ STR("250\r\n"), SMTPREPLY_COMPLETE, 250, STR("250\n") },
	{ STR("250-a\r\n250 b\r\n"), SMTPREPLY_COMPLETE, 250, STR("250-a\n250 b\n") },
	{ STR("250-\r\n250 \r\n"), SMTPREPLY_COMPLETE, 250, STR("250-\n250 \n") },
	{ STR("550 a\0\033\177\tb\r\n"), SMTPREPLY_COMPLETE, 550, STR("550 a???\tb\n") },
	{ STR("250 o"), SMTPREPLY_MORE, 0, STR("250 o") },
	{ STR("250-a\r\n"), SMTPREPLY_MORE, 0, STR("250-a\n") },
	{ STR("25\r\n"), SMTPREPLY_BAD, 0, STR("25\n") },
	{ STR("\r\n"), SMTPREPLY_BAD, 0, STR("\n") },
	{ STR("199 x\r\n"), SMTPREPLY_BAD, 0, STR("1\n") },
	{ STR("600 x\r\n"), SMTPREPLY_BAD, 0, STR("6\n") },
	{ STR("2x0 x\r\n"), SMTPREPLY_BAD, 0, STR("2x\n") },
	{ STR("250_x\r\n"), SMTPREPLY_BAD, 0, STR("250_\n") },
	{ STR("250-a\r\n251 b\r\n"), SMTPREPLY_BAD, 0, STR("250-a\n251 b\n") },
};

static void check(size_t i, size_t piece)
{
	struct smtpreply r;
	struct str rest = cases[i].in;
	enum smtpreply_state state = SMTPREPLY_MORE;

	smtpreply_init(&r);
	while (rest.n && state == SMTPREPLY_MORE) {
		struct str now = str_head(rest, piece);
		size_t given = now.n;

		state = smtpreply_feed(&r, &now);
		rest = str_from(rest, given - now.n);
	}
	assert_int_equal(state, cases[i].state);
	assert_true(str_eq(buf_str(&r.text), cases[i].text));
	if (state == SMTPREPLY_COMPLETE)
		assert_int_equal(r.code, cases[i].code);
	smtpreply_free(&r);
}

static void test_replies(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		check(i, 1);
		check(i, 1000);
	}
}

static void test_replies_follow_one_another(void **state)
{
	struct str in = STR("220 a\r\n250-b\r\n250 c\r\n354 d\r\n");
	struct smtpreply r;
	static const int codes[] = { 220, 250, 354 };

	(void)state;
	smtpreply_init(&r);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(smtpreply_feed(&r, &in), SMTPREPLY_COMPLETE);
		assert_int_equal(r.code, codes[i]);
	}
	assert_int_equal(smtpreply_feed(&r, &in), SMTPREPLY_MORE);
	smtpreply_free(&r);
}

static void test_text_and_length_are_bounded(void **state)
{
	struct smtpreply r;
	struct str line;
	size_t lines = 0;
	enum smtpreply_state now;

	(void)state;
	smtpreply_init(&r);
	do {
		line = STR("250-0123456789012345678901234567890123456789\r\n");
		now = smtpreply_feed(&r, &line);
		lines++;
	} while (now == SMTPREPLY_MORE);
	assert_int_equal(now, SMTPREPLY_BAD);
	assert_true(lines * 46 <= SMTPREPLY_BYTES_MAX + 46);
	assert_int_equal(r.text.n, SMTPREPLY_KEEP);
	smtpreply_free(&r);
}

static void test_ehlo(void **state)
{
	struct ehlo e = ehlo_parse(STR("250-host PIPELINING\n250-size 1000\n250-8BITMIME\n250 SMTPUTF8\n"));

	(void)state;
	assert_false(e.pipelining);
	assert_true(e.size && e.size_max == 1000 && e.eightbitmime && e.smtputf8);
	e = ehlo_parse(STR("250-x\n250-PIPELINING\n250 SIZE -1\n"));
	assert_true(e.pipelining && e.size && e.size_max == 0);
	e = ehlo_parse(STR("250 SIZE 5\n"));
	assert_false(e.size);
	e = ehlo_parse(STR(""));
	assert_false(e.size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_replies_follow_one_another),
		cmocka_unit_test(test_text_and_length_are_bounded),
		cmocka_unit_test(test_ehlo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
