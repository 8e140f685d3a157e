#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/mem.h"
#include "smtpserver/smtpdata.h"

struct decoded {
	enum smtpdata_state state;
	size_t left; /* input bytes behind the end */
	struct buf out;
};

static struct decoded decode(struct str input, size_t first, size_t size)
{
	struct decoded d = { .out = BUF_INIT(8 << 20) };

	while (input.n && d.state != SMTPDATA_END && d.state != SMTPDATA_BARE_LF) {
		struct str piece = str_head(input, first ? first : size);
		char *copy = mem_copy(piece);
		struct str rest = { copy, piece.n };

		first = 0;
		d.state = smtpdata_decode(d.state, &rest, &d.out);
		assert_true(rest.n == 0 || d.state == SMTPDATA_END || d.state == SMTPDATA_BARE_LF);
		input = str_from(input, piece.n - rest.n);
		free(copy);
	}
	d.left = input.n;
	return d;
}

/* The same rules, byte by byte and without states: what the decoder is measured by. */
static struct decoded model(struct str in)
{
	struct decoded d = { .state = SMTPDATA_TEXT, .out = BUF_INIT(8 << 20) };
	bool start = true;

	for (size_t i = 0; i < in.n; i++) {
		if (start && in.p[i] == '.') {
			if (str_starts(str_from(in, i), STR(".\r\n"))) {
				d.state = SMTPDATA_END;
				d.left = in.n - i - 3;
				return d;
			}
			if (str_eq(str_from(in, i), STR(".\r")))
				return d;
			start = false;
			continue;
		}
		start = false;
		if (in.p[i] == '\n') {
			d.state = SMTPDATA_BARE_LF;
			d.left = in.n - i - 1;
			return d;
		}
		if (in.p[i] == '\r' && i + 1 == in.n)
			return d; /* not known yet */
		if (in.p[i] == '\r' && in.p[i + 1] == '\n') {
			buf_addc(&d.out, '\n');
			start = true;
			i++;
			continue;
		}
		buf_addc(&d.out, in.p[i]);
	}
	return d;
}

static void check_against_model(struct str input, size_t first, size_t size)
{
	struct decoded got = decode(input, first, size), want = model(input);

	assert_int_equal(got.state == SMTPDATA_END, want.state == SMTPDATA_END);
	assert_int_equal(got.state == SMTPDATA_BARE_LF, want.state == SMTPDATA_BARE_LF);
	assert_true(str_eq(buf_str(&got.out), buf_str(&want.out)));
	assert_int_equal(got.left, want.left);
	buf_free(&got.out);
	buf_free(&want.out);
}

static const struct {
	struct str middle;
	enum smtpdata_state state; /* at the end of "text" middle "MAIL FROM:<x>\r\n" */
} smuggling[] = {
#define CASE(literal, result)                            \
	{                                                \
		{ literal, sizeof(literal) - 1 }, result \
	}
	CASE("\n.\n", SMTPDATA_BARE_LF),          CASE("\n.\r", SMTPDATA_BARE_LF),
	CASE("\r.\n", SMTPDATA_BARE_LF),          CASE("\r.\r", SMTPDATA_LINE_START),
	CASE("\n.\r\n", SMTPDATA_BARE_LF),        CASE("\r.\r\n", SMTPDATA_LINE_START),
	CASE("\r\n.\n", SMTPDATA_BARE_LF),        CASE("\r\n.\r", SMTPDATA_LINE_START),
	CASE("\r\n\0.\r\n", SMTPDATA_LINE_START), CASE("\r\n.\0\r\n", SMTPDATA_LINE_START),
	CASE("\r\n.\r\r\n", SMTPDATA_LINE_START), CASE("\r\r\n.\r\r\n", SMTPDATA_LINE_START),
	CASE("\r\r\n.\r\n", SMTPDATA_END), /* CR, then the true end */
	CASE("\0\r\n.\r\n", SMTPDATA_END), /* NUL, then the true end */
	CASE("\r\0\n.\r\n", SMTPDATA_BARE_LF),    CASE("\r\n.\r\0\n", SMTPDATA_BARE_LF),
	CASE("\r\n.\r\n\0", SMTPDATA_END),        CASE("\r\n.\v\r\n", SMTPDATA_LINE_START),
	CASE("\r\n. \r\n", SMTPDATA_LINE_START),
#undef CASE
};

static void nothing_but_the_end_ends_the_data(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof smuggling / sizeof *smuggling; i++) {
		struct buf input = BUF_INIT(1000);

		buf_addz(&input, "text");
		buf_add(&input, smuggling[i].middle);
		buf_addz(&input, "MAIL FROM:<x>\r\n");
		for (size_t first = 0; first < input.n; first++)
			for (size_t size = 1; size <= input.n; size++) {
				struct decoded d = decode(buf_str(&input), first, size);

				assert_int_equal(d.state, smuggling[i].state);
				buf_free(&d.out);
				check_against_model(buf_str(&input), first, size);
			}
		buf_free(&input);
	}
}

static void content_stays_as_it_is(void **state)
{
	static const struct {
		struct str in, out;
	} cases[] = {
#define CASE(in, out)                        \
	{                                    \
		{ in, sizeof(in) - 1 },      \
		{                            \
			out, sizeof(out) - 1 \
		}                            \
	}
		CASE(".\r\n", ""),
		CASE("\r\n.\r\n", "\n"),
		CASE("..\r\n.\r\n", ".\n"),
		CASE("...\r\n.x\r\n.\r\n", "..\nx\n"),
		CASE("a\r\r\nb\r\n.\r\n", "a\r\nb\n"),
		CASE("a\rb\0c\xff\r\n.\r\n", "a\rb\0c\xff\n"),
		CASE(".\r.\r\n.\r\n", "\r.\n"),
		CASE("no end of line.\r\n.\r\n", "no end of line.\n"),
#undef CASE
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t size = 1; size <= cases[i].in.n; size++) {
			struct decoded d = decode(cases[i].in, 0, size);

			assert_int_equal(d.state, SMTPDATA_END);
			assert_int_equal(d.left, 0);
			assert_true(str_eq(buf_str(&d.out), cases[i].out));
			buf_free(&d.out);
		}
}

static void seams_do_not_matter(void **state)
{
	static const size_t seams[] = {
		1, 2, 1023, 1024, 1025, 4095, 4096, 4097, 8191, 8192, 8193, 65535, 65536, 65537
	};
	static const struct str marks[] = {
		{ "\r\n", 2 }, { "\r\n.", 3 }, { "\r\n.\r\n", 5 }, { "\r", 1 }, { "\n", 1 }
	};

	(void)state;
	for (size_t s = 0; s < sizeof seams / sizeof *seams; s++)
		for (size_t m = 0; m < sizeof marks / sizeof *marks; m++)
			for (size_t shift = 0; shift <= marks[m].n && shift <= seams[s]; shift++) {
				struct buf input = BUF_INIT(1 << 20);
				size_t lead = seams[s] - shift;

				memset(buf_room(&input, lead), 'x', lead);
				buf_wrote(&input, lead);
				buf_add(&input, marks[m]);
				buf_addz(&input, "rest\r\n.\r\n");
				check_against_model(buf_str(&input), 0, seams[s]);
				buf_free(&input);
			}
}

static void random_input_decodes_as_the_model_says(void **state)
{
	static const char alphabet[] = "\r\r\n\n...a\0b";
	char input[24];

	(void)state;
	srandom(1);
	for (int round = 0; round < 200000; round++) {
		size_t n = (size_t)random() % sizeof input;

		for (size_t i = 0; i < n; i++) {
			input[i] = alphabet[(size_t)random() % (sizeof alphabet - 1)];
			/* Mostly proper line ends, or hardly anything would get beyond the first line. */
			if (input[i] == '\n' && i && random() % 8)
				input[i - 1] = '\r';
		}
		check_against_model((struct str){ input, n }, (size_t)random() % 24, 1 + (size_t)random() % 24);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_but_the_end_ends_the_data),
		cmocka_unit_test(content_stays_as_it_is),
		cmocka_unit_test(seams_do_not_matter),
		cmocka_unit_test(random_input_decodes_as_the_model_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
