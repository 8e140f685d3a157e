/*
 * columnt: makes columns of the fields of its input: each but the last to the
 * right, at its greatest width, with two spaces behind it (contract-companions
 * §6.3). Exit 111 for trouble.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/exitcode.h"
#include "base/mem.h"
#include "filter/tool.h"
#include "sys/io.h"

#define ME "columnt"
#define INPUT_MAX ((size_t)1 << 32)

struct widths {
	size_t *width;
	size_t n;
};

/* Takes the next field off *line. */
static bool next_field(struct str *line, struct str *field)
{
	size_t n = 0;

	while (line->n && (line->p[0] == ' ' || line->p[0] == '\t'))
		*line = str_from(*line, 1);
	while (n < line->n && line->p[n] != ' ' && line->p[n] != '\t')
		n++;
	*field = str_head(*line, n);
	*line = str_from(*line, n);
	return n > 0;
}

static void measure(struct widths *w, struct str line)
{
	struct str field;

	for (size_t i = 0; next_field(&line, &field); i++) {
		if (i == w->n) {
			w->width = mem_array(w->width, w->n + 1, sizeof *w->width);
			w->width[w->n++] = 0;
		}
		if (field.n > w->width[i])
			w->width[i] = field.n;
	}
}

static void print(const struct widths *w, struct str line, struct buf *out)
{
	struct str field;

	for (size_t i = 0; next_field(&line, &field); i++) {
		if (i)
			buf_addz(out, "  ");
		for (size_t n = field.n; i + 1 < w->n && n < w->width[i]; n++)
			buf_addc(out, ' ');
		buf_add(out, field);
	}
	buf_addc(out, '\n');
}

int main(void)
{
	struct buf in = BUF_INIT(INPUT_MAX), out = BUF_INIT(SIZE_MAX / 2);
	struct widths w = { NULL, 0 };
	struct str rest, line;

	if (!io_read_rest(0, &in))
		tool_die(ME, EXIT_TEMPORARY, "unable to read input: %s", errno_text(errno));
	for (rest = buf_str(&in); str_next_line(&rest, &line);)
		measure(&w, line);
	for (rest = buf_str(&in); str_next_line(&rest, &line);)
		print(&w, line, &out);
	if (io_write_all(1, out.p, out.n) == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to write output: %s", errno_text(errno));
	free(w.width);
	buf_free(&in);
	buf_free(&out);
	return 0;
}
