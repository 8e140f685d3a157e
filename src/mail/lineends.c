#include "mail/lineends.h"

void lineends_add(struct buf *out, struct str data)
{
	for (size_t i = 0; i < data.n; i++) {
		if (data.p[i] == '\n')
			buf_addc(out, '\r');
		buf_addc(out, data.p[i]);
	}
}

void lineends_remove(struct lineends *s, struct buf *out, struct str data)
{
	while (data.n) {
		size_t cr = str_chr(data, '\r');

		if (s->cr && *data.p != '\n')
			buf_addc(out, '\r');
		buf_add(out, str_head(data, cr));
		s->cr = cr < data.n;
		data = str_from(data, cr + s->cr);
	}
}

void lineends_end(struct lineends *s, struct buf *out)
{
	if (s->cr)
		buf_addc(out, '\r');
	s->cr = false;
}

void lineends_fix(struct lineends *s, struct buf *out, struct str data)
{
	for (size_t i = 0; i < data.n; i++) {
		if (data.p[i] == '\n' && !s->cr)
			buf_addc(out, '\r');
		s->cr = data.p[i] == '\r';
		buf_addc(out, data.p[i]);
	}
}
