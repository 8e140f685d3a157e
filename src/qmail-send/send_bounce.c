/*
 * send_bounce: telling the sender what could not be delivered (contract
 * §8.6, QSBMF).
 *
 * The message ends only after its bounce is in the queue, so a crash between
 * the two makes a second bounce and never none. The bounce is composed and
 * submitted by a child: $QMAILQUEUE may name a slow scanner.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/date.h"
#include "base/mem.h"
#include "mail/quote.h"
#include "qmail-send/send.h"
#include "submit/submit.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/io.h"

#define RETRY_SECONDS 123

struct bounce {
	struct bounce *next;
	struct sender *s;
	uint64_t id;
	int content;      /* of the original message; -1 */
	struct buf notes; /* paragraphs */
	bool have_content, have_notes;
	pid_t child;
	int pipe;     /* the child tells the bounce's qp through it */
	bool settled; /* it is in the queue, and its message has ended */
	struct event *done;
};

static struct bounce *find(struct sender *s, uint64_t id)
{
	struct bounce *b = s->bounces;

	while (b && b->id != id)
		b = b->next;
	return b;
}

static void bounce_free(struct bounce *b)
{
	struct bounce **p = &b->s->bounces;

	while (*p != b)
		p = &(*p)->next;
	*p = b->next;
	b->s->nbounces--;
	if (b->content != -1)
		close(b->content);
	if (b->done)
		event_free(b->done);
	buf_free(&b->notes);
	free(b);
}

/* Later again: the message has no job, so it gets one that only waits. */
static void try_later(struct bounce *b)
{
	struct msg *m = sched_find(b->s->sched, b->id);
	struct sender *s = b->s;

	bounce_free(b);
	if (m)
		sched_add_unrouted(s->sched, m, clock_wall() + RETRY_SECONDS);
}

void bounce_start(struct sender *s, struct msg *m)
{
	struct bounce *b = mem_zero(1, sizeof *b);

	*b = (struct bounce){ .next = s->bounces, .s = s, .id = m->id, .content = -1, .pipe = -1 };
	b->notes = BUF_INIT(SIZE_MAX);
	s->bounces = b;
	s->nbounces++;
	journal_ask_notes(s, m->id);
	journal_open_message(s, m->id, OPEN_FOR_BOUNCE, NULL, m->envelope == NULL, true);
}

/* Inside a paragraph every second of two LFs becomes '/': paragraphs contain no empty lines. */
static void add_report(struct buf *out, struct str text)
{
	bool after_lf = false;

	for (size_t i = 0; i < text.n; i++) {
		bool lf = text.p[i] == '\n';

		if (lf && after_lf) {
			buf_addc(out, '/');
			after_lf = false;
			continue;
		}
		buf_addc(out, text.p[i]);
		after_lf = lf;
	}
	if (text.n && !after_lf)
		buf_addc(out, '\n');
}

/* The recipient as the sender knows it: without what virtualdomains put in front. */
static void add_recipient(struct buf *out, const struct sender *s, struct str address)
{
	struct buf base = BUF_INIT(SIZE_MAX);
	struct str shown;

	route_base_address(&s->routes, address, &base);
	shown = buf_str(&base);
	buf_addc(out, '<');
	for (size_t i = 0; i < shown.n; i++)
		buf_addc(out, shown.p[i] == '\n' ? '_' : shown.p[i]);
	buf_addz(out, ">:\n");
	buf_free(&base);
}

void bounce_note(struct sender *s, uint64_t id, uint32_t recipient, struct str text)
{
	struct bounce *b = find(s, id);

	/* The recipient's address may not be loaded yet; it is put in when all is here. */
	if (b == NULL)
		return;
	wire_put_u32(&b->notes, recipient);
	wire_put_str(&b->notes, text);
}

static void add_paragraphs(struct buf *out, const struct bounce *b, const struct envelope *env)
{
	struct wire_reader r = wire_reader(buf_str(&b->notes));

	while (r.rest.n && !r.bad) {
		uint32_t i = wire_get_u32(&r);
		struct str text = wire_get_str(&r, SIZE_MAX);

		if (i >= env->nrecipients)
			continue;
		add_recipient(out, b->s, envelope_recipient(env, i));
		add_report(out, text);
		buf_addc(out, '\n');
	}
}

/* ---- composing ------------------------------------------------------------------------- */

#define SINGLE_GREETING                                                                  \
	"I'm afraid I wasn't able to deliver your message to the following addresses.\n" \
	"This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
#define DOUBLE_GREETING "I tried to deliver a bounce message to this address, but the bounce bounced!\n\n"

/* Everything before the original message. */
static void compose_head(struct buf *out, const struct bounce *b, const struct envelope *env, struct str to)
{
	struct send_config *c = &b->s->config;
	struct str sender = envelope_sender(env);
	bool is_double = sender.n == 0;

	buf_addz(out, "Date: ");
	date_add_822(out, clock_wall());
	buf_addz(out, "\nFrom: ");
	quote_local(out, buf_str(&c->bouncefrom));
	buf_addc(out, '@');
	buf_add(out, buf_str(&c->bouncehost));
	buf_addz(out, "\nTo: ");
	quote_address(out, to);
	buf_addz(out, "\nSubject: failure notice\n\nHi. This is the qmail-send program at ");
	buf_add(out, buf_str(&c->bouncehost));
	buf_addz(out, ".\n");
	buf_addz(out, is_double ? DOUBLE_GREETING : SINGLE_GREETING);
	add_paragraphs(out, b, env);
	buf_addz(out, is_double ? "--- Below this line is the original bounce.\n\n"
				: "--- Below this line is a copy of the message.\n\n");
	buf_addz(out, "Return-Path: <");
	if (!is_double)
		quote_address(out, route_bounce_address(sender));
	buf_addz(out, ">\n");
}

static bool copy_original(struct submit *q, int fd)
{
	static char chunk[65536];
	uint64_t at = 0;
	ssize_t n;

	while ((n = file_read_at(fd, chunk, sizeof chunk, at)) > 0) {
		submit_data(q, (struct str){ chunk, (size_t)n });
		at += (uint64_t)n;
	}
	return n == 0;
}

/* In the child: the number to log as qp, or 0. */
static unsigned long inject(const struct bounce *b, const struct envelope *env)
{
	struct send_config *c = &b->s->config;
	struct buf head = BUF_INIT(SIZE_MAX), to = BUF_INIT(SIZE_MAX);
	struct submit q = SUBMIT_INIT;
	struct submit_result r;
	bool is_double = envelope_sender(env).n == 0;
	struct err e;

	if (is_double) {
		buf_add(&to, buf_str(&c->doublebounceto));
		buf_addc(&to, '@');
		buf_add(&to, buf_str(&c->doublebouncehost));
	} else {
		buf_add(&to, route_bounce_address(envelope_sender(env)));
	}
	compose_head(&head, b, env, buf_str(&to));
	if (!submit_begin(&q, true, &e))
		return 0;
	submit_attribute(&q, ATTR_PROTOCOL, STR("bounce"));
	submit_sender(&q, is_double ? STR("#@[]") : STR(""));
	submit_recipient(&q, buf_str(&to));
	submit_data(&q, buf_str(&head));
	if (!copy_original(&q, b->content)) {
		submit_cancel(&q);
		return 0;
	}
	return submit_commit(&q, &r) ? (unsigned long)r.qp : 0;
}

/* ---- the child's end ------------------------------------------------------------------------ */

static void settle(struct bounce *b, struct msg *m, unsigned long qp)
{
	log_line("bounce msg %llu qp %lu", (unsigned long long)b->id, qp);
	b->settled = true;
	message_end(b->s, m);
}

void bounce_arrived(struct sender *s, uint32_t uid, uint32_t pid)
{
	for (struct bounce *b = s->bounces; b; b = b->next) {
		struct msg *m = sched_find(s->sched, b->id);

		/* The child has not been waited for, so its number cannot be another's. */
		if (b->child > 0 && (uint32_t)b->child == pid && uid == getuid() && !b->settled && m) {
			settle(b, m, pid);
			return;
		}
	}
}

static void on_child_done(evutil_socket_t fd, short what, void *arg)
{
	struct bounce *b = arg;
	struct msg *m = sched_find(b->s->sched, b->id);
	unsigned long qp = 0;
	ssize_t n = io_read(fd, &qp, sizeof qp);

	(void)what;
	close(fd);
	waitpid(b->child, NULL, 0);
	if (!b->settled && (n != (ssize_t)sizeof qp || qp == 0 || m == NULL)) {
		log_line("warning: trouble injecting bounce message, will try later");
		try_later(b);
		return;
	}
	if (!b->settled)
		settle(b, m, qp);
	bounce_free(b);
}

static bool start_child(struct bounce *b, const struct envelope *env)
{
	int fds[2];

	if (io_pipe(fds) == -1)
		return false;
	log_flush();
	b->child = fork();
	if (b->child == 0) {
		unsigned long qp = inject(b, env);

		io_write_all(fds[1], &qp, sizeof qp);
		_exit(0);
	}
	close(fds[1]);
	if (b->child == -1) {
		close(fds[0]);
		return false;
	}
	b->pipe = fds[0];
	b->done = event_new(b->s->loop, fds[0], EV_READ, on_child_done, b);
	event_add(b->done, NULL);
	return true;
}

static void when_complete(struct bounce *b)
{
	struct msg *m = sched_find(b->s->sched, b->id);
	struct sender *s = b->s;

	if (!b->have_content || !b->have_notes)
		return;
	if (b->content == -1 || m == NULL || m->envelope == NULL) {
		try_later(b);
		return;
	}
	if (str_eq(envelope_sender(m->envelope), STR("#@[]"))) {
		log_line("triple bounce: discarding bounce/%llu", (unsigned long long)b->id);
		bounce_free(b);
		message_end(s, m);
		return;
	}
	if (!start_child(b, m->envelope)) {
		log_line("warning: unable to start qmail-queue, will try later");
		try_later(b);
	}
}

void bounce_content(struct sender *s, uint64_t id, int fd)
{
	struct bounce *b = find(s, id);

	if (b == NULL) {
		if (fd != -1)
			close(fd);
		return;
	}
	b->have_content = true;
	b->content = fd;
	/* The connection was lost: the notes will not come either. */
	if (fd == -1)
		b->have_notes = true;
	when_complete(b);
}

void bounce_notes_end(struct sender *s, uint64_t id)
{
	struct bounce *b = find(s, id);

	if (b == NULL)
		return;
	b->have_notes = true;
	when_complete(b);
}
