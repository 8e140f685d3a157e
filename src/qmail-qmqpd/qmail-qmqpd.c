/*
 * qmail-qmqpd: takes one message by QMQP on descriptors 0 and 1 (contract
 * §16.2). It relays for everybody who can connect: the rules of tcpserver
 * decide who that is.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "qmtp/mailin.h"
#include "qmtp/qmtpreceive.h"
#include "sandbox/sandbox.h"
#include "sys/home.h"
#include "sys/io.h"

#define LIFETIME 3600 /* seconds */

static const struct sandbox_rights rights = {
	.may = SANDBOX_BRIEF | SANDBOX_UNIX | SANDBOX_QUEUE_PROGRAM,
	.memory = 512 * SANDBOX_MIB,
	.paths = { { "control", SANDBOX_READ } },
};

struct qmqpd {
	struct mailin in;
	bool bad_address;
};

static ssize_t read_input(void *ctx, void *data, size_t n)
{
	(void)ctx;
	return io_read(0, data, n);
}

static bool begin(void *ctx)
{
	struct qmqpd *q = ctx;
	struct err e;

	return mailin_begin(&q->in, &e);
}

static void content(void *ctx, struct str data)
{
	struct qmqpd *q = ctx;

	submit_data(&q->in.submit, data);
}

static void sender(void *ctx, struct str address, bool usable)
{
	struct qmqpd *q = ctx;

	q->bad_address |= !usable;
	submit_sender(&q->in.submit, address);
}

static void recipient(void *ctx, struct str address, bool usable)
{
	struct qmqpd *q = ctx;

	q->bad_address |= !usable;
	submit_recipient(&q->in.submit, address);
}

static void cancel(void *ctx)
{
	struct qmqpd *q = ctx;

	submit_cancel(&q->in.submit);
}

static void end(void *ctx)
{
	struct qmqpd *q = ctx;
	struct buf answer = BUF_INIT(1000), out = BUF_INIT(1100);

	if (q->bad_address) {
		cancel(q);
		buf_addz(&answer, "Dsorry, I can't accept addresses like that (#5.1.3)");
	} else {
		mailin_commit(&q->in, &answer);
	}
	netstring_add(&out, buf_str(&answer));
	io_write_all(1, out.p, out.n);
	buf_free(&answer);
	buf_free(&out);
}

int main(void)
{
	static const struct qmtp_ops ops = { begin, content, sender, recipient, end, cancel };
	static struct netreader reader;
	static struct qmqpd q;
	struct err e;
	int code;

	mailin_process(LIFETIME);
	if (!home_enter(&e) || !sandbox_enter(&rights, &e))
		return EXIT_TEMPORARY;
	mailin_start(&q.in, STR("QMQP"));
	netreader_start(&reader, read_input, &q);
	code = qmtp_exit_code(qmqp_receive(&reader, &ops, &q));
	submit_close(&q.in.submit);
	return code;
}
