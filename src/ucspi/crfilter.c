#include "ucspi/crfilter.h"

#include <errno.h>

#include "mail/lineends.h"
#include "sys/io.h"

#define CHUNK 8192

static void change(enum crfilter what, struct lineends *s, struct buf *out, struct str data)
{
	if (what == CRFILTER_ADD)
		lineends_add(out, data);
	else if (what == CRFILTER_REMOVE)
		lineends_remove(s, out, data);
	else
		buf_add(out, data);
}

bool crfilter_copy(enum crfilter what, int from, int to, struct err *e)
{
	struct buf out = BUF_INIT(2 * CHUNK + 1);
	struct lineends s = { false };
	char chunk[CHUNK];
	ssize_t r;
	bool written = true;

	while (written && (r = io_read(from, chunk, sizeof chunk)) != 0) {
		if (r == -1) {
			buf_free(&out);
			return err_sys(e, errno, "unable to read");
		}
		change(what, &s, &out, (struct str){ chunk, (size_t)r });
		written = io_write_all(to, out.p, out.n) == 0;
		buf_clear(&out);
	}
	lineends_end(&s, &out);
	if (!written || io_write_all(to, out.p, out.n) == -1)
		err_sys(e, errno, "unable to write");
	else
		e->kind = ERR_NONE;
	buf_free(&out);
	return e->kind == ERR_NONE;
}
