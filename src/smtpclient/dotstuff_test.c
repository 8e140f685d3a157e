#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "smtpclient/dotstuff.h"

/*
 * What a strict receiver makes of the bytes: only CRLF ends a line, only
 * CRLF.CRLF ends the data. False: not exactly one message, or a CR or LF that
 * is not part of a CRLF.
 */
static bool decode(struct str wire, struct buf *content)
{
	while (wire.n) {
		size_t n = str_find(wire, STR("\r\n"));
		struct str line = str_head(wire, n);

		if (n == wire.n || str_chr(line, '\r') < line.n || str_chr(line, '\n') < line.n)
			return false;
		wire = str_from(wire, n + 2);
		if (str_eq(line, STR(".")))
			return wire.n == 0;
		buf_add(content, line.n && *line.p == '.' ? str_from(line, 1) : line);
		buf_addc(content, '\n');
	}
	return false;
}

/* The documented change: CRs before an LF go, other runs of CRs become a space. */
static void expected(struct str in, struct buf *out)
{
	for (size_t i = 0; i < in.n; i++) {
		size_t k = i;

		while (k < in.n && in.p[k] == '\r')
			k++;
		if (k > i && k < in.n && in.p[k] != '\n')
			buf_addc(out, ' ');
		if (k < in.n)
			buf_addc(out, in.p[k]);
		i = k;
	}
}

static bool encode(struct str in, size_t piece, struct buf *out)
{
	struct dotstuff d = DOTSTUFF_INIT;

	for (size_t i = 0; i < in.n; i += piece)
		dotstuff_add(&d, str_head(str_from(in, i), piece), out);
	return dotstuff_end(&d, out);
}

static void check(struct str in, size_t piece)
{
	struct buf wire = BUF_INIT(1 << 20), got = BUF_INIT(1 << 20), want = BUF_INIT(1 << 20);
	bool whole = in.n == 0 || in.p[in.n - 1] == '\n';

	assert_int_equal(encode(in, piece, &wire), whole);
	if (whole) {
		expected(in, &want);
		assert_true(decode(buf_str(&wire), &got));
		assert_true(str_eq(buf_str(&got), buf_str(&want)));
	}
	buf_free(&wire);
	buf_free(&got);
	buf_free(&want);
}

/* All contents of up to seven bytes over the bytes that matter, cut in every way that matters. */
static void test_every_short_content_is_one_message(void **state)
{
	static const char letters[] = "\r\n.a";
	char in[7];

	(void)state;
	for (size_t n = 0; n <= sizeof in; n++) {
		for (size_t code = 0; code < (size_t)1 << (2 * n); code++) {
			for (size_t i = 0; i < n; i++)
				in[i] = letters[code >> (2 * i) & 3];
			for (size_t piece = 1; piece <= 3; piece++)
				check((struct str){ in, n }, piece);
			check((struct str){ in, n }, sizeof in);
		}
	}
}

static void test_random_bytes(void **state)
{
	char in[300];

	(void)state;
	srand(1);
	for (int round = 0; round < 20000; round++) {
		size_t n = (size_t)rand() % sizeof in;

		for (size_t i = 0; i < n; i++)
			in[i] = rand() % 3 ? "\r\n. x"[rand() % 5] : (char)rand();
		check((struct str){ in, n }, 1 + (size_t)rand() % 40);
	}
}

static void test_bytes_on_the_wire(void **state)
{
	static const struct {
		struct str in, out;
	} cases[] = {
		{ STR(""), STR(".\r\n") },
		{ STR("a\n"), STR("a\r\n.\r\n") },
		{ STR(".\n..\n.x\n"), STR("..\r\n...\r\n..x\r\n.\r\n") },
		{ STR("a\r\nb\r\r\n"), STR("a\r\nb\r\n.\r\n") },
		{ STR("x\r.\r\nMAIL\n"), STR("x .\r\nMAIL\r\n.\r\n") },
		{ STR("\r.\n"), STR(" .\r\n.\r\n") },
		{ STR("a\0\xff\n"), STR("a\0\xff\r\n.\r\n") },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT(1000);

		assert_true(encode(cases[i].in, 1000, &out));
		assert_true(str_eq(buf_str(&out), cases[i].out));
		buf_free(&out);
	}
}

/* As a chunk: the measure is its length, whatever the pieces, and without added dots it is what DATA carries. */
static void test_chunks(void **state)
{
	char in[40];

	(void)state;
	srand(2);
	for (int round = 0; round < 20000; round++) {
		struct str content = { in, (size_t)rand() % sizeof in };
		size_t piece = 1 + (size_t)rand() % 7;
		struct dotstuff d = DOTSTUFF_BARE, m = DOTSTUFF_BARE;
		struct buf out = BUF_INIT(1000);
		uint64_t size = 0;

		for (size_t i = 0; i < content.n; i++)
			in[i] = "\r\n. x"[rand() % 5];
		for (size_t i = 0; i < content.n; i += piece)
			dotstuff_add(&d, str_head(str_from(content, i), piece), &out);
		for (struct str rest = content; rest.n; rest = str_from(rest, piece + 1))
			size += dotstuff_measure(&m, str_head(rest, piece + 1));
		assert_int_equal(out.n, size);
		assert_int_equal(dotstuff_end(&d, &out), dotstuff_end(&m, &out));
		assert_int_equal(out.n, size);
		for (size_t i = 0; i < out.n; i++)
			if (out.p[i] == '\r' || out.p[i] == '\n')
				assert_memory_equal(out.p + i - (out.p[i] == '\n'), "\r\n", 2);
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_short_content_is_one_message),
		cmocka_unit_test(test_random_bytes),
		cmocka_unit_test(test_bytes_on_the_wire),
		cmocka_unit_test(test_chunks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
