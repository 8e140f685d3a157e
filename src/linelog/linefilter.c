#include "linelog/linefilter.h"

#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/exitcode.h"
#include "filter/tool.h"
#include "sys/io.h"

#define CHUNK 65536

static void split(const struct linefilter *filter, struct buf *out, struct str chunk, bool *first)
{
	while (chunk.n) {
		size_t n = str_chr(chunk, '\n');
		bool whole = n < chunk.n;

		n += whole;
		filter->piece(filter->ctx, out, str_head(chunk, n), *first);
		*first = whole;
		chunk = str_from(chunk, n);
	}
}

static bool flush(struct buf *out)
{
	bool ok = io_write_all(1, out->p, out->n) == 0;

	buf_clear(out);
	return ok;
}

int linefilter_run(const char *me, const struct linefilter *filter)
{
	static char chunk[CHUNK];
	struct buf out = BUF_INIT(SIZE_MAX / 2);
	bool first = true, written = true;
	ssize_t r;

	while (written && (r = io_read(0, chunk, sizeof chunk)) > 0) {
		split(filter, &out, (struct str){ chunk, (size_t)r }, &first);
		written = flush(&out);
	}
	if (written && r == -1)
		tool_die(me, EXIT_TEMPORARY, "unable to read input: %s", errno_text(errno));
	if (written && filter->end) {
		filter->end(filter->ctx, &out);
		written = flush(&out);
	}
	buf_free(&out);
	if (!written)
		tool_die(me, EXIT_TEMPORARY, "unable to write output: %s", errno_text(errno));
	return 0;
}
