#include "smtpclient/dotstuff.h"

static char *add_byte(struct dotstuff *d, char c, char *to)
{
	if (c == '\r') {
		d->cr = true;
		return to;
	}
	if (c == '\n') {
		*to++ = '\r';
		*to++ = '\n';
		d->in_line = d->cr = false;
		return to;
	}
	if (d->cr) {
		*to++ = ' ';
		d->cr = false;
		d->in_line = true;
	}
	if (c == '.' && !d->in_line && !d->bare)
		*to++ = '.';
	*to++ = c;
	d->in_line = true;
	return to;
}

/* A piece without LF. Lines without CR, nearly all, are copied in one go. */
static char *add_piece(struct dotstuff *d, struct str piece, char *to)
{
	if (d->cr || str_chr(piece, '\r') < piece.n) {
		for (size_t i = 0; i < piece.n; i++)
			to = add_byte(d, piece.p[i], to);
		return to;
	}
	if (piece.n == 0)
		return to;
	if (*piece.p == '.' && !d->in_line && !d->bare)
		*to++ = '.';
	memcpy(to, piece.p, piece.n);
	d->in_line = true;
	return to + piece.n;
}

void dotstuff_add(struct dotstuff *d, struct str content, struct buf *out)
{
	char *room = buf_room(out, 2 * content.n + 1), *to = room;

	if (room == NULL)
		return;
	while (content.n) {
		size_t n = str_chr(content, '\n');

		to = add_piece(d, str_head(content, n), to);
		if (n < content.n)
			to = add_byte(d, '\n', to);
		content = str_from(content, n + 1);
	}
	buf_wrote(out, (size_t)(to - room));
}

bool dotstuff_end(struct dotstuff *d, struct buf *out)
{
	if (d->in_line || d->cr)
		return false;
	if (!d->bare)
		buf_add(out, STR(".\r\n"));
	return true;
}

/* Bytes of a piece without LF, whose CRs count when something that is no LF follows them. */
static uint64_t measure_piece(struct dotstuff *d, struct str piece)
{
	uint64_t n = 0;

	if (!d->cr && str_chr(piece, '\r') == piece.n) {
		d->in_line |= piece.n > 0;
		return piece.n;
	}
	for (size_t i = 0; i < piece.n; i++) {
		if (piece.p[i] == '\r') {
			d->cr = true;
			continue;
		}
		n += d->cr ? 2 : 1;
		d->cr = false;
		d->in_line = true;
	}
	return n;
}

uint64_t dotstuff_measure(struct dotstuff *d, struct str content)
{
	uint64_t size = 0;

	while (content.n) {
		size_t n = str_chr(content, '\n');

		size += measure_piece(d, str_head(content, n));
		if (n < content.n) {
			size += 2;
			d->in_line = d->cr = false;
		}
		content = str_from(content, n + 1);
	}
	return size;
}
