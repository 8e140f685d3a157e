#include "qmtp/netreader.h"

void netreader_start(struct netreader *r, ssize_t (*read)(void *ctx, void *data, size_t n), void *ctx)
{
	r->read = read;
	r->ctx = ctx;
	r->state = NET_OK;
	r->inside = false;
	r->left = 0;
	r->ready = STR("");
}

static void fail(struct netreader *r, enum net_state state)
{
	if (r->state == NET_OK)
		r->state = state;
}

struct str netreader_some(struct netreader *r, uint64_t n)
{
	struct str taken;

	if (r->inside && n > r->left)
		fail(r, NET_MALFORMED);
	if (r->state == NET_OK && r->ready.n == 0) {
		ssize_t got = r->read(r->ctx, r->bytes, sizeof r->bytes);

		if (got <= 0)
			fail(r, NET_END);
		else
			r->ready = (struct str){ r->bytes, (size_t)got };
	}
	if (r->state != NET_OK)
		return STR("");
	taken = str_head(r->ready, n < r->ready.n ? (size_t)n : r->ready.n);
	r->ready = str_from(r->ready, taken.n);
	if (r->inside)
		r->left -= taken.n;
	return taken;
}

char netreader_byte(struct netreader *r)
{
	struct str s = netreader_some(r, 1);

	return s.n ? *s.p : 0;
}

uint64_t netreader_length(struct netreader *r)
{
	uint64_t n = 0;
	char c = netreader_byte(r);

	if (!chr_digit(c))
		fail(r, NET_MALFORMED);
	for (; chr_digit(c); c = netreader_byte(r)) {
		n = n * 10 + (uint64_t)(c - '0');
		if (n > NETREADER_LENGTH_MAX) {
			fail(r, NET_TOO_LONG);
			return 0;
		}
	}
	if (c != ':')
		fail(r, NET_MALFORMED);
	return r->state == NET_OK ? n : 0;
}

void netreader_comma(struct netreader *r)
{
	if (netreader_byte(r) != ',')
		fail(r, NET_MALFORMED);
}

bool netreader_string(struct netreader *r, size_t max, struct buf *out)
{
	uint64_t n = netreader_length(r);
	bool keep = n <= max;

	buf_clear(out);
	while (n && r->state == NET_OK) {
		struct str s = netreader_some(r, n);

		n -= s.n;
		keep = keep && str_chr(s, 0) == s.n;
		if (keep)
			buf_add(out, s);
	}
	netreader_comma(r);
	if (!keep || r->state != NET_OK)
		buf_clear(out);
	return keep && r->state == NET_OK;
}

void netreader_enter(struct netreader *r, uint64_t n)
{
	r->inside = true;
	r->left = n;
}

void netreader_leave(struct netreader *r)
{
	if (r->left)
		fail(r, NET_MALFORMED);
	r->inside = false;
}

void netstring_add(struct buf *out, struct str s)
{
	buf_addu(out, s.n);
	buf_addc(out, ':');
	buf_add(out, s);
	buf_addc(out, ',');
}
