#include <stdlib.h>

#include "local/dotqmail.h"
#include "local/loopcheck.h"
#include "local/mboxrd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(struct str input)
{
	struct dotqmail d = dotqmail_begin(input, false);
	const char *last = input.p;

	for (;;) {
		struct dotqmail_line l = dotqmail_next(&d);

		if (l.kind == DOTQMAIL_END || l.kind == DOTQMAIL_BLANK_FIRST)
			return;
		/* Lines come in order, from within the file, without line ends or blanks behind them. */
		if (l.text.p < last || l.text.p + l.text.n > input.p + input.n || str_chr(l.text, '\n') < l.text.n)
			abort();
		if (l.text.n && (l.text.p[l.text.n - 1] == ' ' || l.text.p[l.text.n - 1] == '\r'))
			abort();
		last = l.text.p + l.text.n;
	}
}

/* Quoted in two pieces it must come out as in one, and removing the quotes must give the input again. */
static void quote(struct str input, size_t cut)
{
	struct buf one = BUF_INIT(2 * input.n + 8), two = BUF_INIT(2 * input.n + 8), back = BUF_INIT(2 * input.n + 8);
	struct mboxrd m = { .inside = false };
	struct str rest, line;

	mboxrd_add(&m, input, &one);
	mboxrd_finish(&m, &one);
	mboxrd_add(&m, str_head(input, cut), &two);
	mboxrd_add(&m, str_from(input, cut), &two);
	mboxrd_finish(&m, &two);
	if (!buf_ok(&one) || !str_eq(buf_str(&one), buf_str(&two)))
		abort();
	rest = buf_str(&one);
	while (str_next_line(&rest, &line)) {
		size_t i = 0;

		while (i < line.n && line.p[i] == '>')
			i++;
		if (str_starts(str_from(line, i), STR("From "))) {
			if (i == 0)
				abort();
			line = str_from(line, 1);
		}
		buf_add(&back, line);
		buf_addc(&back, '\n');
	}
	if (!str_starts(buf_str(&back), input) || back.n - input.n > 2)
		abort();
	buf_free(&one);
	buf_free(&two);
	buf_free(&back);
}

static void look_for_loop(struct str input, size_t cut)
{
	struct loopcheck one = loopcheck_begin(STR("Delivered-To: a@b\n")), two = one;

	loopcheck_feed(&one, input);
	loopcheck_feed(&two, str_head(input, cut));
	loopcheck_feed(&two, str_from(input, cut));
	if (one.looping != two.looping || one.done != two.done)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = { (const char *)data, size };

	parse(input);
	quote(input, size / 2);
	look_for_loop(input, size / 2);
	return 0;
}
