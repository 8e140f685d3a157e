#include <stdlib.h>

#include "smtpserver/smtpsession.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct queue {
	bool open;
	unsigned committed;
};

static int64_t now(void *ctx)
{
	(void)ctx;
	return 0;
}

static bool sender_is_bad(void *ctx, struct str sender, size_t at)
{
	(void)ctx;
	(void)at;
	return sender.n == 3;
}

static enum smtp_permission recipient(void *ctx, struct str address, size_t at)
{
	(void)ctx;
	return at == address.n || address.n % 2 ? SMTP_ALLOWED : SMTP_REFUSED;
}

static bool own_address(void *ctx, struct str literal)
{
	(void)ctx;
	return literal.n == 1;
}

static bool begin(void *ctx, const struct smtp_session *s)
{
	struct queue *q = ctx;

	if (q->open || !s->t.mail || s->t.nrecipients == 0)
		abort();
	q->open = true;
	return true;
}

static void content(void *ctx, struct str data)
{
	struct queue *q = ctx;

	if (!q->open || data.n == 0)
		abort();
}

static bool commit(void *ctx, const struct smtp_session *s, struct submit_result *r)
{
	struct queue *q = ctx;

	if (!q->open || s->t.recipients.n == 0)
		abort();
	q->open = false;
	q->committed++;
	*r = (struct submit_result){ .letter = 'Z' };
	return q->committed % 4 != 0;
}

static void cancel(void *ctx)
{
	struct queue *q = ctx;

	if (!q->open)
		abort();
	q->open = false;
}

static void note(void *ctx, const struct smtp_session *s, enum smtp_note what, struct str text)
{
	(void)ctx;
	(void)s;
	(void)what;
	(void)text;
}

/* Some are and some are not; each is one whole address. */
static enum smtp_mailbox mailbox(void *ctx, struct str recipient, uint64_t bytes)
{
	(void)ctx, (void)bytes;
	if (recipient.n == 0 || str_chr(recipient, 0) < recipient.n)
		abort();
	return (enum smtp_mailbox)(recipient.n % 3);
}

/* A reply is lines of three digits and printable text with CR LF, whatever the client sent. */
static void check_replies(struct str s)
{
	struct str line;

	while (str_next_line(&s, &line))
		if (line.n < 5 || line.p[line.n - 1] != '\r' || !chr_digit(*line.p) ||
		    str_has_control(str_head(line, line.n - 1)))
			abort();
}

static void run(struct str input, size_t piece, struct buf *replies, unsigned *committed)
{
	static const struct smtp_ops ops = { now,     sender_is_bad, recipient, own_address, begin,
					     content, commit,        cancel,    note,        mailbox };
	static const struct smtp_settings settings = { .greeting = { "mx", 2 },
						       .localiphost = { "mx", 2 },
						       .has_localiphost = true,
						       .databytes = 100,
						       .max_recipients = 4,
						       .max_errors = 30,
						       .max_idle = 100 };
	static const struct smtp_client client = { .ip = { "ip", 2 }, .host = { "host", 4 }, .local = { "mx", 2 } };
	struct queue q = { 0 };
	struct smtp_session s;

	smtp_session_start(&s, &settings, &client, &ops, &q, replies);
	while (input.n && !s.ended) {
		struct buf out = BUF_INIT(1u << 20);

		input = str_from(input, smtp_session_feed(&s, str_head(input, piece), &out));
		buf_add(replies, buf_str(&out));
		buf_free(&out);
	}
	smtp_session_close(&s);
	if (q.open)
		abort();
	*committed = q.committed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = BUF_INIT(SIZE_MAX), pieces = BUF_INIT(SIZE_MAX);
	struct str input = { (const char *)data, size };
	unsigned n, n2;

	if (size < 1)
		return 0;
	input = str_from(input, 1);
	run(input, input.n, &whole, &n);
	run(input, 1 + data[0] % 9, &pieces, &n2);
	if (n != n2 || !str_eq(buf_str(&whole), buf_str(&pieces)))
		abort();
	check_replies(buf_str(&whole));
	buf_free(&whole);
	buf_free(&pieces);
	return 0;
}
