#include "local/mboxrd.h"

#define WORD STR("From ")

/*
 * Takes bytes at the start of a line, as long as they can be of ">>>From ".
 * Returns how many. The further '>' goes behind those already there, which
 * makes no difference and needs no memory for them.
 */
static size_t at_start(struct mboxrd *m, struct str data, struct buf *out)
{
	for (size_t i = 0; i < data.n; i++) {
		if (data.p[i] == '>' && m->matched == 0) {
			buf_addc(out, '>');
			continue;
		}
		m->inside = data.p[i] != WORD.p[m->matched] || ++m->matched == WORD.n;
		if (!m->inside)
			continue;
		if (m->matched == WORD.n)
			buf_addc(out, '>');
		buf_add(out, str_head(WORD, m->matched));
		i += m->matched == WORD.n;
		m->matched = 0;
		return i;
	}
	return data.n;
}

void mboxrd_add(struct mboxrd *m, struct str data, struct buf *out)
{
	while (data.n) {
		size_t n = m->inside ? 0 : at_start(m, data, out);

		m->unfinished = true;
		data = str_from(data, n);
		if (!m->inside)
			return;
		n = str_chr(data, '\n');
		if (n < data.n) {
			n++;
			m->inside = m->unfinished = false;
		}
		buf_add(out, str_head(data, n));
		data = str_from(data, n);
	}
}

void mboxrd_finish(struct mboxrd *m, struct buf *out)
{
	buf_add(out, str_head(WORD, m->matched));
	buf_addz(out, m->unfinished ? "\n\n" : "\n");
	*m = (struct mboxrd){ .inside = false };
}
