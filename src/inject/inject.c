#include "inject/inject.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "inject/setup.h"
#include "mail/header.h"
#include "mail/lineends.h"
#include "mail/quote.h"
#include "submit/submit.h"
#include "sys/io.h"

#define CHUNK 32768
#define ARGUMENT_MAX (1u << 20)

static bool too_large(struct err *e)
{
	return err_perm(e, "the header is larger than %u bytes", INJECT_HEADER_MAX);
}

static bool unreadable(struct err *e)
{
	return err_temp(e, "read error: %s", errno_text(errno));
}

enum crlf { CRLF_STAYS, CRLF_BECOMES_LF, CRLF_UNDECIDED };

/* Descriptor 0, with what was read and not yet used. */
struct input {
	struct buf data;
	size_t used;
	bool at_end;
	enum crlf crlf;
	struct lineends ends;
};

static struct str unused(const struct input *in)
{
	return str_from(buf_str(&in->data), in->used);
}

/* The first line decides. While it comes in pieces, a CR at the end of one is held back. */
static void decide(struct input *in, struct str piece)
{
	size_t lf = str_chr(piece, '\n');

	if (lf < piece.n)
		in->crlf = (lf ? piece.p[lf - 1] == '\r' : in->ends.cr) ? CRLF_BECOMES_LF : CRLF_STAYS;
}

static void add_converted(struct input *in, struct str piece)
{
	if (in->crlf == CRLF_UNDECIDED)
		decide(in, piece);
	if (in->crlf == CRLF_STAYS || piece.n == 0)
		lineends_end(&in->ends, &in->data);
	if (in->crlf == CRLF_STAYS)
		buf_add(&in->data, piece);
	else
		lineends_remove(&in->ends, &in->data, piece);
}

/* More data behind what is unused. */
static bool read_more(struct input *in, struct err *e)
{
	static char piece[CHUNK];
	char *room;
	ssize_t r;

	buf_consume(&in->data, in->used);
	in->used = 0;
	room = buf_room(&in->data, CHUNK + 1); /* and a CR that was held back */
	if (room == NULL)
		return too_large(e);
	r = io_read(0, in->crlf == CRLF_STAYS ? room : piece, CHUNK);
	if (r < 0)
		return unreadable(e);
	if (in->crlf == CRLF_STAYS)
		buf_wrote(&in->data, (size_t)r);
	else
		add_converted(in, (struct str){ piece, (size_t)r });
	in->at_end = r == 0;
	return true;
}

/* Feeds the header to c. *end is how it ended; the body is unused input. */
static bool read_header(struct input *in, struct compose *c, enum header_item *end, struct err *e)
{
	struct header_scan scan = { 0 };
	size_t total = 0;
	bool ok = true;

	while (ok && total <= INJECT_HEADER_MAX) {
		struct str rest = unused(in), item;
		enum header_item kind = header_take(&scan, &rest, in->at_end, &item);

		if (kind == HEADER_MORE) {
			ok = read_more(in, e);
			continue;
		}
		in->used = in->data.n - rest.n;
		if (kind != HEADER_FIELD && kind != HEADER_MBOX_LINE) {
			*end = kind;
			return true;
		}
		total += item.n;
		ok = kind == HEADER_FIELD ? compose_field(c, item, e) : compose_mbox_line(c, item, e);
	}
	return ok ? too_large(e) : false;
}

/* Where the result goes: the queue, or descriptor 1. */
struct output {
	bool print;
	struct submit submit;
};

static bool put(struct output *out, struct str data, struct err *e)
{
	if (!out->print)
		submit_data(&out->submit, data);
	else if (io_write_all(1, data.p, data.n) == -1)
		return err_temp(e, "write error: %s", errno_text(errno));
	return true;
}

/* The separating line and the body. A message whose header ends it gets neither. */
static bool put_body(struct output *out, struct input *in, enum header_item header_end, struct err *e)
{
	char last = '\n';

	if (header_end == HEADER_EOF)
		return true;
	if (!put(out, STR("\n"), e))
		return false;
	for (;;) {
		struct str rest = unused(in);

		if (rest.n) {
			if (!put(out, rest, e))
				return false;
			last = rest.p[rest.n - 1];
		}
		if (in->at_end)
			return last == '\n' || put(out, STR("\n"), e);
		in->used = in->data.n;
		if (!read_more(in, e))
			return false;
	}
}

static bool put_return_path(struct output *out, struct str sender, struct err *e)
{
	struct buf line = BUF_INIT(SIZE_MAX);
	bool ok;

	buf_addz(&line, "Return-Path: <");
	quote_address(&line, sender);
	buf_addz(&line, ">\n");
	ok = put(out, buf_str(&line), e);
	buf_free(&line);
	return ok;
}

/* One message on its way. */
struct message {
	const struct inject_request *request;
	struct setup setup;
	struct compose compose;
	struct input in;
	struct output out;
	struct addresses arguments;
	struct buf sender, generated;
	enum header_item header_end;
};

static bool find_sender(struct message *m, struct err *e)
{
	if (m->request->sender)
		return rewrite_plain(&m->setup.rules, str_of(m->request->sender), &m->sender, e);
	return compose_sender(&m->compose, &m->sender, e);
}

static bool find_arguments(struct message *m, struct err *e)
{
	struct buf plain = BUF_INIT(ARGUMENT_MAX);
	bool ok = true;

	for (size_t i = 0; ok && m->request->recipients[i]; i++) {
		struct str argument = str_of(m->request->recipients[i]);

		ok = rewrite_plain(&m->setup.rules, argument, &plain, e);
		if (ok && plain.n == 0)
			ok = err_perm(e, "unable to parse address: %.*s", STR_ARG(str_head(argument, 400)));
		addresses_add(&m->arguments, buf_str(&plain));
	}
	buf_free(&plain);
	return ok;
}

static bool header_counts(const struct inject_request *r)
{
	return r->recipients_from == INJECT_HEADER || r->recipients_from == INJECT_BOTH ||
	       (r->recipients_from == INJECT_EITHER && r->recipients[0] == NULL);
}

static void put_recipients(struct submit *s, const struct addresses *list, uint8_t notify)
{
	for (size_t i = 0; i < list->n; i++) {
		submit_recipient(s, addresses_get(list, i));
		submit_recipient_dsn(s, notify, STR(""));
	}
}

#define WATCH_SECONDS 600

static bool commit(struct message *m, struct err *e)
{
	struct submit *s = &m->out.submit;
	struct submit_result r;

	if (submit_is_new())
		submit_attribute(s, ATTR_SUBMISSION, STR(""));
	submit_dsn(s, m->request->ret, m->request->envid);
	submit_sender(s, buf_str(&m->sender));
	if (m->request->recipients_from != INJECT_HEADER)
		put_recipients(s, &m->arguments, m->request->notify);
	if (header_counts(m->request))
		put_recipients(s, compose_recipients(&m->compose), m->request->notify);
	if (m->request->watch)
		submit_watch(s);
	if (submit_commit(s, &r)) {
		if (m->request->watch)
			submit_events(s, m->request->watch, WATCH_SECONDS);
		return true;
	}
	return r.letter == 'D' ? err_perm(e, "%s", r.text) : err_temp(e, "%s", r.text);
}

static bool put_message(struct message *m, struct err *e)
{
	return put(&m->out, buf_str(&m->generated), e) && put(&m->out, buf_str(&m->compose.kept), e) &&
	       put_body(&m->out, &m->in, m->header_end, e);
}

static bool queue(struct message *m, struct err *e)
{
	if (!submit_begin(&m->out.submit, true, e)) {
		/* Whatever the cause, a mail system that does not run now may run later. */
		e->kind = ERR_TEMPORARY;
		return err_context(e, "unable to run qmail-queue");
	}
	if (put_message(m, e))
		return commit(m, e);
	submit_cancel(&m->out.submit);
	return false;
}

static bool print(struct message *m, struct err *e)
{
	return put_return_path(&m->out, buf_str(&m->sender), e) && put_message(m, e);
}

static bool process(struct message *m, struct err *e)
{
	if (!setup_read(&m->setup, e))
		return false;
	compose_init(&m->compose, &m->setup.facts, m->setup.letters);
	if (!find_arguments(m, e) || !read_header(&m->in, &m->compose, &m->header_end, e) || !find_sender(m, e) ||
	    !compose_generated(&m->compose, &m->generated, e))
		return false;
	if (m->compose.unparsed && header_counts(m->request))
		fprintf(stderr, "qmail-inject: warning: %llu recipient field(s) could not be parsed\n",
			(unsigned long long)m->compose.unparsed);
	return m->request->print ? print(m, e) : queue(m, e);
}

bool inject_run(const struct inject_request *request, struct err *e)
{
	struct message m = {
		.request = request,
		.in = { .data = BUF_INIT(INJECT_HEADER_MAX + CHUNK + 1),
			.crlf = request->crlf ? CRLF_UNDECIDED : CRLF_STAYS },
		.out = { .print = request->print, .submit = SUBMIT_INIT },
		.arguments = ADDRESSES_INIT,
		.sender = BUF_INIT(INJECT_HEADER_MAX),
		.generated = BUF_INIT(COMPOSE_HEADER_MAX),
	};
	bool ok;

	signal(SIGPIPE, SIG_IGN);
	if (fcntl(0, F_GETFD) == -1)
		return unreadable(e);
	io_open_standard_fds();
	/* Room for an ordinary message at once: memory that does not grow is not copied. */
	buf_room(&m.in.data, (size_t)2 * CHUNK);
	ok = process(&m, e);
	submit_close(&m.out.submit);
	compose_free(&m.compose);
	setup_free(&m.setup);
	addresses_free(&m.arguments);
	buf_free(&m.in.data);
	buf_free(&m.sender);
	buf_free(&m.generated);
	return ok;
}
