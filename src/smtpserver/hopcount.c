#include "smtpserver/hopcount.h"

static void end_line(struct hopcount *h)
{
	struct str start = { h->start, h->n };

	if (h->n == 0)
		h->body = true;
	if (str_istarts(start, STR("received")) || str_istarts(start, STR("delivered")))
		h->hops++;
	h->n = 0;
}

void hopcount_feed(struct hopcount *h, struct str data)
{
	while (data.n && !h->body) {
		size_t lf = str_chr(data, '\n');
		struct str piece = str_head(str_head(data, lf), sizeof h->start - h->n);

		memcpy(h->start + h->n, piece.p, piece.n);
		h->n += piece.n;
		if (lf < data.n)
			end_line(h);
		data = str_from(data, lf + 1);
	}
}
