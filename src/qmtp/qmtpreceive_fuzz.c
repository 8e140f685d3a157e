#include <stdlib.h>

#include "qmtp/qmtpreceive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct fuzz {
	struct str rest;
	enum { IDLE, BEGUN, SENT } step;
	size_t bytes;
};

static ssize_t read_piece(void *ctx, void *data, size_t n)
{
	struct fuzz *f = ctx;
	/* Pieces of different sizes. */
	size_t want = 1 + f->rest.n % 7 * 5;
	struct str piece = str_head(f->rest, want < n ? want : n);

	memcpy(data, piece.p, piece.n);
	f->rest = str_from(f->rest, piece.n);
	return (ssize_t)piece.n;
}

static void must(bool ok)
{
	if (!ok)
		abort();
}

static bool begin(void *ctx)
{
	struct fuzz *f = ctx;

	must(f->step == IDLE);
	f->step = BEGUN;
	return true;
}

static void content(void *ctx, struct str data)
{
	struct fuzz *f = ctx;

	must(f->step == BEGUN);
	f->bytes += data.n;
}

static void sender(void *ctx, struct str address, bool usable)
{
	struct fuzz *f = ctx;

	must(f->step == BEGUN && address.n <= QMTP_ADDRESS_MAX && (usable || address.n == 0));
	f->step = SENT;
}

static void recipient(void *ctx, struct str address, bool usable)
{
	struct fuzz *f = ctx;

	must(f->step == SENT && address.n <= QMTP_ADDRESS_MAX && (usable || address.n == 0));
	must(str_chr(address, 0) == address.n);
}

static void end(void *ctx)
{
	struct fuzz *f = ctx;

	must(f->step == SENT);
	f->step = IDLE;
}

static void cancel(void *ctx)
{
	struct fuzz *f = ctx;

	must(f->step != IDLE);
	f->step = IDLE;
}

static const struct qmtp_ops ops = { begin, content, sender, recipient, end, cancel };

/* The first byte chooses the protocol. Whatever comes, the calls come in order and the content is no more than came. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct netreader r;
	struct fuzz f = { .rest = { (const char *)data, n } };
	bool qmqp = n && data[0] == 'Q';

	f.rest = str_from(f.rest, qmqp);
	netreader_start(&r, read_piece, &f);
	if (qmqp)
		qmqp_receive(&r, &ops, &f);
	else
		while (qmtp_receive(&r, &ops, &f) == NET_OK)
			;
	must(f.step == IDLE && f.bytes <= n);
	return 0;
}
