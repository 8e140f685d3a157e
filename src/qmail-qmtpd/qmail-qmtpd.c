/*
 * qmail-qmtpd: takes messages by QMTP on descriptors 0 and 1 (contract
 * §16.1). What may be sent to whom is as for qmail-smtpd.
 *
 * Beyond the old qmail-qmtpd: messages that go in circles are refused, and
 * with control/rcptcheck recipients that do not exist.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "qmtp/mailin.h"
#include "qmtp/qmtpreceive.h"
#include "sandbox/sandbox.h"
#include "smtpserver/hopcount.h"
#include "smtpserver/mailboxcheck.h"
#include "smtpserver/smtppolicy.h"
#include "sys/home.h"
#include "sys/io.h"

#define LIFETIME 3600 /* seconds */
#define REPLIES_HELD 65536
#define RECIPIENTS_MAX (10u << 20) /* of one message, refused ones included */

static const struct sandbox_rights rights = {
	.may = SANDBOX_BRIEF | SANDBOX_UNIX | SANDBOX_QUEUE_PROGRAM,
	.memory = 512 * SANDBOX_MIB,
	.paths = { { "control", SANDBOX_READ } },
};

struct qmtpd {
	struct mailin in;
	struct smtp_policy policy;
	struct mailbox_check mailboxes;
	struct str relay_suffix; /* $RELAYCLIENT, with relay */
	bool relay;
	/* Of the current message. */
	uint64_t bytes;
	struct hopcount hops;
	bool sender_usable;
	uint64_t taken;      /* recipients */
	struct buf outcomes; /* of each recipient: an enum outcome */
	struct buf replies;  /* not yet sent */
};

enum outcome { TAKEN, CANNOT_HANDLE, NOT_ALLOWED, NO_MAILBOX, FULL, NOT_NOW, TOO_MANY };

static const char *const refusals[] = {
	[CANNOT_HANDLE] = "Dsorry, I can't handle that recipient (#5.1.3)",
	[NOT_ALLOWED] = "Dsorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
	[NO_MAILBOX] = "Dsorry, no mailbox here by that name (#5.1.1)",
	[FULL] = "Dsorry, the mailbox is full (#5.2.2)",
	[NOT_NOW] = "Zunable to check that recipient now (#4.3.0)",
	[TOO_MANY] = "Zsorry, too many recipients (#4.5.3)",
};

/* Replies go out whenever more input has to be waited for. */
static bool flush(struct qmtpd *q)
{
	bool ok = io_write_all(1, q->replies.p, q->replies.n) == 0;

	buf_clear(&q->replies);
	return ok;
}

static ssize_t read_input(void *ctx, void *data, size_t n)
{
	return flush(ctx) ? io_read(0, data, n) : -1;
}

static bool begin(void *ctx)
{
	struct qmtpd *q = ctx;
	struct err e;

	q->bytes = 0;
	q->hops = (struct hopcount){ 0 };
	q->taken = 0;
	buf_clear(&q->outcomes);
	return mailin_begin(&q->in, &e);
}

static bool too_big(const struct qmtpd *q)
{
	uint64_t limit = q->policy.settings.databytes;

	return limit && q->bytes > limit;
}

static void content(void *ctx, struct str data)
{
	struct qmtpd *q = ctx;

	q->bytes += data.n;
	hopcount_feed(&q->hops, data);
	if (!too_big(q))
		submit_data(&q->in.submit, data);
}

static void sender(void *ctx, struct str address, bool usable)
{
	struct qmtpd *q = ctx;

	q->sender_usable = usable;
	submit_sender(&q->in.submit, address);
}

static enum outcome judge(struct qmtpd *q, struct str address)
{
	enum smtp_mailbox found = SMTP_MAILBOX_TAKES;
	struct err e;

	if (!q->relay) {
		enum smtp_permission p = smtp_policy_recipient(&q->policy, address, str_rchr(address, '@'), &e);

		if (p != SMTP_ALLOWED)
			return p == SMTP_REFUSED ? NOT_ALLOWED : NOT_NOW;
	}
	if (q->taken >= q->policy.settings.max_recipients)
		return TOO_MANY;
	/* Trouble with the check is no reason to refuse. */
	if (q->policy.check_mailboxes)
		found = mailbox_look(&q->mailboxes, &q->policy.routes, address, q->bytes, &e);
	if (found == SMTP_MAILBOX_FULL)
		return FULL;
	return found == SMTP_MAILBOX_ABSENT ? NO_MAILBOX : TAKEN;
}

static void recipient(void *ctx, struct str address, bool usable)
{
	struct qmtpd *q = ctx;
	struct buf whole = BUF_INIT(QMTP_ADDRESS_MAX);
	enum outcome o = CANNOT_HANDLE;

	buf_add(&whole, address);
	if (q->relay)
		buf_add(&whole, q->relay_suffix);
	if (usable && buf_ok(&whole))
		o = judge(q, buf_str(&whole));
	if (o == TAKEN) {
		submit_recipient(&q->in.submit, buf_str(&whole));
		q->taken++;
	}
	buf_addc(&q->outcomes, (char)o);
	buf_free(&whole);
}

static void cancel(void *ctx)
{
	struct qmtpd *q = ctx;

	submit_cancel(&q->in.submit);
}

/* The answer for the recipients that were taken. */
static void settle(struct qmtpd *q, struct buf *answer)
{
	const char *refusal = NULL;

	if (too_big(q))
		refusal = "Dsorry, that message size exceeds my databytes limit (#5.3.4)";
	else if (!q->sender_usable)
		refusal = "Dunacceptable sender (#5.1.7)";
	else if (q->hops.hops >= HOPCOUNT_MAX)
		refusal = "Dtoo many hops, this message is looping (#5.4.6)";
	if (refusal || q->taken == 0)
		cancel(q);
	else
		mailin_commit(&q->in, answer);
	if (refusal)
		buf_addz(answer, refusal);
}

static void end(void *ctx)
{
	struct qmtpd *q = ctx;
	struct buf answer = BUF_INIT(1000);

	/* The rest of this conversation could not be understood. */
	if (!buf_ok(&q->outcomes))
		_exit(EXIT_TEMPORARY);
	settle(q, &answer);
	for (size_t i = 0; i < q->outcomes.n; i++) {
		enum outcome o = (enum outcome)q->outcomes.p[i];

		netstring_add(&q->replies, o == TAKEN ? buf_str(&answer) : str_of(refusals[o]));
		if (q->replies.n > REPLIES_HELD && !flush(q))
			break;
	}
	buf_free(&answer);
}

static enum net_state serve(struct qmtpd *q)
{
	static const struct qmtp_ops ops = { begin, content, sender, recipient, end, cancel };
	static struct netreader reader;
	enum net_state state;

	netreader_start(&reader, read_input, q);
	do
		state = qmtp_receive(&reader, &ops, q);
	while (state == NET_OK);
	return state;
}

int main(void)
{
	static struct qmtpd q = {
		.mailboxes = MAILBOX_CHECK_INIT,
		.outcomes = { .limit = RECIPIENTS_MAX },
		.replies = { .limit = 2 * REPLIES_HELD },
	};
	struct err e;
	int code;

	mailin_process(LIFETIME);
	if (!home_enter(&e) || !smtp_policy_load(&q.policy, &e) || !sandbox_enter(&rights, &e))
		return EXIT_TEMPORARY;
	mailin_start(&q.in, STR("QMTP"));
	q.relay = getenv("RELAYCLIENT") != NULL;
	q.relay_suffix = str_of(getenv("RELAYCLIENT"));
	code = qmtp_exit_code(serve(&q));
	submit_close(&q.in.submit);
	mailbox_check_close(&q.mailboxes);
	smtp_policy_free(&q.policy);
	return code;
}
