#include "qmtp/qmtpreceive.h"

#include "base/exitcode.h"
#include "mail/lineends.h"

/* n bytes as they are. */
static void take_plain(struct netreader *r, uint64_t n, const struct qmtp_ops *ops, void *ctx)
{
	while (n && r->state == NET_OK) {
		struct str s = netreader_some(r, n);

		n -= s.n;
		if (s.n)
			ops->content(ctx, s);
	}
}

/* n bytes with CR LF as line ends. */
static void take_crlf(struct netreader *r, uint64_t n, const struct qmtp_ops *ops, void *ctx)
{
	struct buf text = BUF_INIT(sizeof r->bytes + 1);
	struct lineends ends = { false };

	while (n && r->state == NET_OK) {
		struct str s = netreader_some(r, n);

		n -= s.n;
		buf_clear(&text);
		lineends_remove(&ends, &text, s);
		ops->content(ctx, buf_str(&text));
	}
	buf_clear(&text);
	lineends_end(&ends, &text);
	if (r->state == NET_OK && text.n)
		ops->content(ctx, buf_str(&text));
	buf_free(&text);
}

static void take_sender(struct netreader *r, const struct qmtp_ops *ops, void *ctx)
{
	struct buf address = BUF_INIT(QMTP_ADDRESS_MAX);
	bool usable = netreader_string(r, QMTP_ADDRESS_MAX, &address);

	if (r->state == NET_OK)
		ops->sender(ctx, buf_str(&address), usable);
	buf_free(&address);
}

/* To the end of the netstring that they are in. */
static void take_recipients(struct netreader *r, const struct qmtp_ops *ops, void *ctx)
{
	struct buf address = BUF_INIT(QMTP_ADDRESS_MAX);

	while (r->left && r->state == NET_OK) {
		bool usable = netreader_string(r, QMTP_ADDRESS_MAX, &address);

		if (r->state == NET_OK)
			ops->recipient(ctx, buf_str(&address), usable);
	}
	buf_free(&address);
}

static enum net_state finish(struct netreader *r, const struct qmtp_ops *ops, void *ctx)
{
	if (r->state == NET_OK)
		ops->end(ctx);
	else
		ops->cancel(ctx);
	return r->state;
}

static bool begin(struct netreader *r, const struct qmtp_ops *ops, void *ctx)
{
	if (r->state == NET_OK && !ops->begin(ctx))
		r->state = NET_FAILED;
	return r->state == NET_OK;
}

enum net_state qmtp_receive(struct netreader *r, const struct qmtp_ops *ops, void *ctx)
{
	uint64_t n = netreader_length(r);
	char kind = r->state == NET_OK && n ? netreader_byte(r) : 0;

	if (r->state == NET_OK && kind != '\n' && kind != '\r')
		r->state = NET_MALFORMED;
	if (!begin(r, ops, ctx))
		return r->state;
	(kind == '\n' ? take_plain : take_crlf)(r, n - 1, ops, ctx);
	netreader_comma(r);
	take_sender(r, ops, ctx);
	netreader_enter(r, netreader_length(r));
	take_recipients(r, ops, ctx);
	netreader_leave(r);
	netreader_comma(r);
	return finish(r, ops, ctx);
}

enum net_state qmqp_receive(struct netreader *r, const struct qmtp_ops *ops, void *ctx)
{
	netreader_enter(r, netreader_length(r));
	if (!begin(r, ops, ctx))
		return r->state;
	take_plain(r, netreader_length(r), ops, ctx);
	netreader_comma(r);
	take_sender(r, ops, ctx);
	take_recipients(r, ops, ctx);
	netreader_leave(r);
	netreader_comma(r);
	return finish(r, ops, ctx);
}

int qmtp_exit_code(enum net_state state)
{
	if (state == NET_MALFORMED)
		return EXIT_PERMANENT;
	return state == NET_OK || state == NET_END ? 0 : EXIT_TEMPORARY;
}
