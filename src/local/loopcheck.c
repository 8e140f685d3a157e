#include "local/loopcheck.h"

/* The current line has ended in LF. */
static void end_of_line(struct loopcheck *c)
{
	c->looping = !c->differs && c->column == c->line.n;
	c->done = c->looping || c->column == 1;
	c->column = 0;
	c->differs = false;
}

static struct str up_to_line_end(struct str data)
{
	size_t lf = str_chr(data, '\n');

	return str_head(data, lf < data.n ? lf + 1 : lf);
}

void loopcheck_feed(struct loopcheck *c, struct str data)
{
	while (!c->done && data.n) {
		struct str piece = up_to_line_end(data);

		if (!c->differs)
			c->differs = !str_starts(str_from(c->line, c->column), piece);
		c->column += piece.n;
		if (piece.p[piece.n - 1] == '\n')
			end_of_line(c);
		data = str_from(data, piece.n);
	}
}
