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

#include "base/mem.h"
#include "notice/notice.h"
#include "qmail-send/send.h"
#include "submit/submit.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/io.h"
#include "sys/random.h"

#define RETRY_SECONDS 123
#define UNIQUE_BYTES 16

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

bool bounce_begun(struct sender *s, uint64_t id)
{
	return find(s, id) != NULL;
}

void bounce_note(struct sender *s, uint64_t id, uint32_t recipient, uint8_t letter, struct str text)
{
	struct bounce *b = find(s, id);

	/* The recipient's address may not be loaded yet; it is put in when all is here. */
	if (b == NULL || letter != RESULT_FAILED)
		return;
	wire_put_u32(&b->notes, recipient);
	wire_put_str(&b->notes, text);
}

/* ---- composing, in the child ----------------------------------------------------------- */

#define CHUNK 65536
#define HEADER_MAX (256u << 10) /* of an original of which only the header is given */

/* What a notice is made of, and what holds it. */
struct material {
	struct notice notice;
	struct notice_recipient *recipients;
	struct buf *addresses; /* one each */
	struct buf to;
	char unique[2 * UNIQUE_BYTES + 1];
};

/* The recipients as the sender knows them: without what virtualdomains put in front. */
static void collect_recipients(struct material *m, const struct bounce *b, const struct envelope *env)
{
	struct wire_reader r = wire_reader(buf_str(&b->notes));
	size_t n = 0;

	m->recipients = mem_array(NULL, env->nrecipients + 1, sizeof *m->recipients);
	m->addresses = mem_zero(env->nrecipients + 1, sizeof *m->addresses);
	while (r.rest.n && !r.bad && n < env->nrecipients) {
		uint32_t i = wire_get_u32(&r);
		struct str text = wire_get_str(&r, SIZE_MAX);

		if (i >= env->nrecipients)
			continue;
		m->addresses[n] = BUF_INIT(SIZE_MAX);
		route_base_address(&b->s->routes, envelope_recipient(env, i), &m->addresses[n]);
		m->recipients[n] = (struct notice_recipient){ .address = buf_str(&m->addresses[n]), .report = text };
		n++;
	}
	m->notice.recipients = m->recipients;
	m->notice.n = n;
}

static void make_unique(struct material *m)
{
	unsigned char bytes[UNIQUE_BYTES];

	random_bytes(bytes, sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++)
		snprintf(m->unique + 2 * i, 3, "%02x", bytes[i]);
	m->notice.unique = str_of(m->unique);
}

static void collect(struct material *m, const struct bounce *b, const struct envelope *env)
{
	const struct send_config *c = &b->s->config;
	struct str sender = envelope_sender(env);

	*m = (struct material){ .to = BUF_INIT(SIZE_MAX) };
	if (sender.n == 0) {
		buf_add(&m->to, buf_str(&c->doublebounceto));
		buf_addc(&m->to, '@');
		buf_add(&m->to, buf_str(&c->doublebouncehost));
	} else {
		buf_add(&m->to, route_bounce_address(sender));
	}
	m->notice = (struct notice){
		.kind = sender.n ? NOTICE_BOUNCE : NOTICE_DOUBLE_BOUNCE,
		.plain = c->plain_bounces,
		.from = buf_str(&c->bouncefrom),
		.host = buf_str(&c->bouncehost),
		.to = buf_str(&m->to),
		.return_path = sender.n ? route_bounce_address(sender) : sender,
		.now = clock_wall(),
		.arrival = sched_find(b->s->sched, b->id)->birth,
		.pid = (unsigned long)getpid(),
		.header_only = c->bounce_max && env->size > c->bounce_max,
		.utf8 = (env->flags & MESSAGE_SMTPUTF8) != 0,
	};
	make_unique(m);
	collect_recipients(m, b, env);
}

/* The next piece of the original at this offset; -1 on an error, 0 at its end. */
static ssize_t read_piece(const struct bounce *b, char *chunk, size_t n, uint64_t at)
{
	return file_read_at(b->content, chunk, n, at);
}

static ssize_t read_header(const struct bounce *b, char *header)
{
	ssize_t n = read_piece(b, header, HEADER_MAX, 0);

	return n < 0 ? n : (ssize_t)notice_header_length((struct str){ header, (size_t)n });
}

/* Has what will be given of the original bytes that are not ASCII? False: it cannot be read. */
static bool find_8bit(const struct bounce *b, struct notice *n)
{
	static char chunk[HEADER_MAX];
	uint64_t at = 0;
	ssize_t got = 0;

	do {
		got = n->header_only ? read_header(b, chunk) : read_piece(b, chunk, CHUNK, at);
		for (ssize_t i = 0; i < got; i++)
			n->eight_bit |= (unsigned char)chunk[i] >= 128;
		at += got > 0 ? (uint64_t)got : 0;
	} while (got > 0 && !n->eight_bit && !n->header_only);
	return got >= 0;
}

static bool copy_original(struct submit *q, const struct bounce *b, bool header_only)
{
	static char chunk[HEADER_MAX];
	uint64_t at = 0;
	ssize_t n;

	do {
		n = header_only ? read_header(b, chunk) : read_piece(b, chunk, CHUNK, at);
		if (n > 0)
			submit_data(q, (struct str){ chunk, (size_t)n });
		at += n > 0 ? (uint64_t)n : 0;
	} while (n > 0 && !header_only);
	return n >= 0;
}

/* The number to log as qp, or 0. */
static unsigned long inject(const struct bounce *b, const struct envelope *env)
{
	struct buf head = BUF_INIT(SIZE_MAX), tail = BUF_INIT(SIZE_MAX);
	struct submit q = SUBMIT_INIT;
	struct submit_result r;
	struct material m;
	struct err e;

	collect(&m, b, env);
	if (!find_8bit(b, &m.notice))
		return 0;
	notice_head(&head, &m.notice);
	notice_tail(&tail, &m.notice);
	if (!submit_begin(&q, true, &e))
		return 0;
	submit_attribute(&q, ATTR_PROTOCOL, STR("bounce"));
	if (!m.notice.plain && m.notice.eight_bit)
		submit_attribute(&q, ATTR_BODY_8BIT, STR(""));
	if (!m.notice.plain && notice_needs_utf8(&m.notice))
		submit_attribute(&q, ATTR_SMTPUTF8, STR(""));
	submit_sender(&q, envelope_sender(env).n == 0 ? STR("#@[]") : STR(""));
	submit_recipient(&q, m.notice.to);
	submit_data(&q, buf_str(&head));
	if (!copy_original(&q, b, m.notice.header_only)) {
		submit_cancel(&q);
		return 0;
	}
	submit_data(&q, buf_str(&tail));
	return submit_commit(&q, &r) ? (unsigned long)r.qp : 0;
}

/* ---- the child's end ------------------------------------------------------------------------ */

static void settle(struct bounce *b, struct msg *m, unsigned long qp)
{
	log_bounce(m, qp);
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
