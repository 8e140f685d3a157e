/*
 * send_journal: talking with qmail-journal over run/queue.
 *
 * When the connection is lost nothing is forgotten: what we had to say waits
 * and is said to the next journal, which lists all messages again; those we
 * know already are not touched.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "qmail-send/send.h"
#include "sys/clock.h"
#include "sys/home.h"
#include "sys/io.h"
#include "sys/unixsock.h"

#define PACKETS_A_TURN 256
#define BUSY_BYTES (1u << 20)

struct pending_open {
	struct pending_open *next;
	uint64_t id;
	enum open_purpose purpose;
	struct job *job;
	bool wants_content;
};

struct journal_link {
	int fd;
	struct event *readable, *writable;
	struct packet_queue out;
	struct buf in;
	struct pending_open *first, **last; /* OPENs not yet answered, oldest first */
	struct sender *s;
};

static void on_readable(evutil_socket_t fd, short what, void *arg);

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct journal_link *l = arg;

	(void)what;
	if (packet_queue_flush(&l->out, fd))
		event_del(l->writable);
}

static void say(struct journal_link *l, struct buf *packet)
{
	if (!packet_queue_send(&l->out, l->fd, buf_str(packet), -1) && l->writable)
		event_add(l->writable, NULL);
	buf_free(packet);
}

static bool connect_journal(struct journal_link *l, struct err *e)
{
	char manage = PACKET_MANAGE;

	if (!unixsock_connect(home_dir(), "run/queue", UNIXSOCK_PACKET, &l->fd, e))
		return false;
	if (unixsock_send(l->fd, (struct str){ &manage, 1 }, -1) == -1) {
		err_sys(e, errno, "unable to speak with qmail-journal");
		close(l->fd);
		l->fd = -1;
		return false;
	}
	io_set_nonblocking(l->fd, true);
	l->readable = event_new(l->s->loop, l->fd, EV_READ | EV_PERSIST, on_readable, l);
	l->writable = event_new(l->s->loop, l->fd, EV_WRITE | EV_PERSIST, on_writable, l);
	event_add(l->readable, NULL);
	if (l->out.first)
		event_add(l->writable, NULL);
	return true;
}

bool journal_link_start(struct sender *s, struct err *e)
{
	struct journal_link *l = s->journal;

	if (l == NULL) {
		l = s->journal = mem_zero(1, sizeof *l);
		l->s = s;
		l->fd = -1;
		l->last = &l->first;
		l->in = BUF_INIT(QUEUE_PACKET_MAX);
		packet_queue_init(&l->out);
	}
	return l->fd != -1 || connect_journal(l, e);
}

bool journal_link_up(const struct sender *s)
{
	return s->journal->fd != -1;
}

bool journal_link_busy(const struct sender *s)
{
	return s->journal->fd != -1 && s->journal->out.bytes > BUSY_BYTES;
}

/* What was being opened is tried again later. */
static void put_back_opens(struct journal_link *l)
{
	struct pending_open *p = l->first, *next;

	l->first = NULL;
	l->last = &l->first;
	for (; p; p = next) {
		next = p->next;
		if (p->purpose == OPEN_FOR_BOUNCE || p->purpose == OPEN_FOR_DELAY)
			bounce_content(l->s, p->id, -1);
		else if (p->purpose == OPEN_FOR_ORDER)
			order_envelope(l->s, p->id, false);
		else
			sched_put_back(l->s->sched, p->job, clock_wall() + 1);
		free(p);
	}
}

static void lost(struct journal_link *l)
{
	if (l->s->ever_ready)
		log_line("alert: lost connection to qmail-journal; trying again every second");
	event_free(l->readable);
	event_free(l->writable);
	l->readable = l->writable = NULL;
	close(l->fd);
	l->fd = -1;
	l->s->ready = false;
	put_back_opens(l);
}

void journal_link_retry(struct sender *s)
{
	struct err e;

	if (s->journal->fd == -1 && connect_journal(s->journal, &e))
		log_line("warning: connected to qmail-journal again");
}

/* ---- requests -------------------------------------------------------------------- */

void journal_open_message(struct sender *s, uint64_t id, enum open_purpose purpose, struct job *job, bool envelope,
			  bool content)
{
	struct journal_link *l = s->journal;
	struct pending_open *p = mem_zero(1, sizeof *p);
	struct buf packet = BUF_INIT(32);

	*p = (struct pending_open){ .id = id, .purpose = purpose, .job = job, .wants_content = content };
	*l->last = p;
	l->last = &p->next;
	wire_put_u8(&packet, PACKET_OPEN);
	wire_put_u64(&packet, id);
	wire_put_u8(&packet, (uint8_t)((envelope ? OPEN_ENVELOPE : 0) | (content ? OPEN_CONTENT : 0) |
				       (purpose == OPEN_FOR_DELAY ? OPEN_ANSWERS : 0)));
	say(l, &packet);
}

void journal_result(struct sender *s, uint64_t id, uint32_t recipient, char letter, struct str text)
{
	struct buf packet = BUF_INIT(QUEUE_PACKET_MAX);

	wire_put_u8(&packet, PACKET_RESULT);
	wire_put_u64(&packet, id);
	wire_put_u32(&packet, recipient);
	wire_put_u8(&packet, (uint8_t)letter);
	wire_put_str(&packet, text);
	say(s->journal, &packet);
}

static void say_number(struct sender *s, enum queue_packet type, uint64_t id)
{
	struct buf packet = BUF_INIT(32);

	wire_put_u8(&packet, (uint8_t)type);
	wire_put_u64(&packet, id);
	say(s->journal, &packet);
}

void journal_defer(struct sender *s, struct msg *m, int64_t due, struct str answers)
{
	struct buf packet = BUF_INIT(QUEUE_PACKET_MAX);

	m->timed = due != 0;
	m->untimed = due == 0;
	wire_put_u8(&packet, PACKET_DEFER);
	wire_put_u64(&packet, m->id);
	wire_put_u64(&packet, (uint64_t)due);
	wire_put_str(&packet, answers);
	say(s->journal, &packet);
}

void journal_edit(struct sender *s, uint32_t ticket, uint64_t id, uint32_t recipient, struct str address)
{
	struct buf packet = BUF_INIT(QUEUE_PACKET_MAX);

	wire_put_u8(&packet, PACKET_EDIT);
	wire_put_u32(&packet, ticket);
	wire_put_u64(&packet, id);
	wire_put_u32(&packet, recipient);
	wire_put_str(&packet, address);
	say(s->journal, &packet);
}

void journal_ordered(struct sender *s, uint32_t ticket, enum order_status status, const char *text)
{
	struct buf packet = BUF_INIT(QUEUE_PACKET_MAX);

	queue_put_ordered(&packet, ticket, status, str_of(text));
	say(s->journal, &packet);
}

void journal_reported(struct sender *s, uint64_t id, const uint32_t *recipients, uint32_t n)
{
	do {
		uint32_t part = n < REPORTED_MAX ? n : REPORTED_MAX;
		struct buf packet = BUF_INIT(QUEUE_PACKET_MAX);

		wire_put_u8(&packet, PACKET_REPORTED);
		wire_put_u64(&packet, id);
		wire_put_u32(&packet, part);
		for (uint32_t i = 0; i < part; i++)
			wire_put_u32(&packet, recipients[i]);
		say(s->journal, &packet);
		if (part)
			recipients += part;
		n -= part;
	} while (n);
}

void journal_end(struct sender *s, uint64_t id)
{
	say_number(s, PACKET_END, id);
}

void journal_ask_notes(struct sender *s, uint64_t id)
{
	say_number(s, PACKET_NOTES, id);
}

void journal_link_drain(struct sender *s)
{
	struct journal_link *l = s->journal;
	struct pollfd pfd = { .fd = l->fd, .events = POLLOUT };

	for (int i = 0; i < 50 && l->fd != -1 && !packet_queue_flush(&l->out, l->fd); i++)
		poll(&pfd, 1, 100);
	if (l->fd != -1)
		close(l->fd);
}

/* ---- answers ------------------------------------------------------------------------ */

static struct pending_open *take_first(struct journal_link *l)
{
	struct pending_open *p = l->first;

	l->first = p->next;
	if (l->first == NULL)
		l->last = &l->first;
	return p;
}

static bool got_message(struct journal_link *l, struct wire_reader *r)
{
	struct pending_open *p = l->first;
	uint64_t id;
	bool complete;

	if (!message_packet_arrived(l->s, r, &id, &complete))
		return false;
	if (!complete)
		return true;
	if (p == NULL || p->id != id)
		message_loaded(l->s, id, NULL);
	else if (p->purpose == OPEN_FOR_ROUTING) {
		take_first(l);
		message_loaded(l->s, id, p->job);
		free(p);
	} else if (p->purpose == OPEN_FOR_ORDER) {
		take_first(l);
		order_envelope(l->s, id, true);
		free(p);
	} else if (p->purpose == OPEN_FOR_VERDICT) {
		take_first(l);
		delivery_verdict(l->s, p->job);
		free(p);
	}
	/* Otherwise the content follows. */
	return true;
}

static void lost_message(struct sender *s, struct msg *m, const struct pending_open *p)
{
	uint64_t id = m->id;

	message_lost(s, m, p->job);
	/* A notice of it cannot be made any more. */
	if (p->purpose == OPEN_FOR_BOUNCE || p->purpose == OPEN_FOR_DELAY)
		bounce_content(s, id, -1);
}

static bool got_content(struct journal_link *l, struct wire_reader *r, int fd)
{
	uint64_t id = wire_get_u64(r);
	uint8_t status = wire_get_u8(r);
	struct pending_open *p = l->first;
	struct msg *m;

	if (!wire_end(r) || p == NULL || p->id != id || (status == 0) != (fd != -1)) {
		if (fd != -1)
			close(fd);
		return false;
	}
	take_first(l);
	m = sched_find(l->s->sched, id);
	if (p->purpose == OPEN_FOR_ORDER)
		order_envelope(l->s, id, false);
	else if (status == 2 && m && !m->removed)
		lost_message(l->s, m, p);
	else if (p->purpose == OPEN_FOR_BOUNCE || p->purpose == OPEN_FOR_DELAY)
		bounce_content(l->s, id, fd);
	else
		delivery_start(l->s, p->job, fd);
	free(p);
	return true;
}

static bool got_waiting(struct journal_link *l, struct wire_reader *r)
{
	uint32_t n = wire_get_u32(r);

	for (uint32_t i = 0; i < n && !r->bad; i++) {
		uint64_t id = wire_get_u64(r);
		int64_t birth = (int64_t)wire_get_u64(r), due = (int64_t)wire_get_u64(r);

		if (!r->bad)
			message_waiting(l->s, id, birth, due);
	}
	return wire_end(r);
}

static bool got_packet(struct journal_link *l, struct str packet, int fd)
{
	struct wire_reader r = wire_reader(packet);
	uint8_t type = wire_get_u8(&r);
	uint64_t id;

	if (type == PACKET_CONTENT)
		return got_content(l, &r, fd);
	if (fd != -1)
		close(fd);
	switch (type) {
	case PACKET_MESSAGE:
		return got_message(l, &r);
	case PACKET_WAITING:
		return got_waiting(l, &r);
	case PACKET_READY:
		l->s->ready = true;
		return wire_end(&r);
	case PACKET_ORDER: {
		struct order_packet order;

		if (!queue_get_order(&r, &order, true))
			return false;
		order_arrived(l->s, &order);
		return true;
	}
	case PACKET_NOTE:
	case PACKET_ANSWER: {
		uint32_t recipient;
		struct str text;
		uint8_t letter;

		id = wire_get_u64(&r);
		recipient = wire_get_u32(&r);
		letter = wire_get_u8(&r);
		text = wire_get_str(&r, QUEUE_PACKET_MAX);
		if (!wire_end(&r))
			return false;
		bounce_note(l->s, id, recipient, letter, text);
		return true;
	}
	case PACKET_NOTES_END:
		id = wire_get_u64(&r);
		if (!wire_end(&r))
			return false;
		bounce_notes_end(l->s, id);
		return true;
	default:
		return false;
	}
}

static void on_readable(evutil_socket_t sock, short what, void *arg)
{
	struct journal_link *l = arg;

	(void)what;
	for (int i = 0; i < PACKETS_A_TURN; i++) {
		ssize_t got;
		int fd;

		buf_clear(&l->in);
		got = unixsock_recv(sock, &l->in, QUEUE_PACKET_MAX, &fd);
		if (got == -1 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got <= 0) {
			lost(l);
			return;
		}
		if (!got_packet(l, buf_str(&l->in), fd)) {
			log_line("alert: qmail-journal said something strange; connecting anew");
			lost(l);
			return;
		}
	}
}
