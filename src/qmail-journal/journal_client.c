/* journal_client: clients that submit messages over run/journal. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "mail/received.h"
#include "qmail-journal/journal_server.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/random.h"
#include "sys/service.h"
#include "wire/attribute.h"
#include "wire/queueproto.h"

#define NAME "qmail-journal"
#define CLIENTS_MAX 4000
#define CLIENTS_OF_ONE (CLIENTS_MAX / 4) /* of one user who is none of ours */
#define COMPLAIN_MS 10000
#define READ_SIZE 65536
#define ENVELOPE_MAX (24u << 20)   /* recipients of one message, encoded */
#define NOTES_MAX (8u << 20)       /* texts of failures of a message from another queue */
#define ATTRIBUTES_MAX (32u << 10) /* of one message: they go into one packet with its sender */

/* Exit codes of qmail-queue (contract §5.3) that the journal answers with. */
enum { OK = 0, ADDRESS_TOO_LONG = 11, WRITE_ERROR = 53, READ_ERROR = 54, QUEUE_TROUBLE = 64, BAD_ENVELOPE = 91 };

#define PARTS_OF_MESSAGE                                                                                        \
	(1u << FRAME_SENDER | 1u << FRAME_RECIPIENT | 1u << FRAME_ATTRIBUTE | 1u << FRAME_RECIPIENT_ATTRIBUTE | \
	 1u << FRAME_DATA | 1u << FRAME_PAST | 1u << FRAME_DONE | 1u << FRAME_WATCH)

/* A message on its way in; reset as a whole. */
struct incoming {
	struct buf sender, recipients, attributes, content;
	struct buf head;
	uint32_t nrecipients;
	size_t last_recipient; /* where the last recipient's attributes begin, in recipients */
	struct str how;        /* "from network" …, when the client's uid does not say */
	uint64_t id;
	uint64_t size;     /* content so far, head included */
	int body;          /* descriptor of the body file, or -1 */
	uint32_t body_crc; /* of what was written to it */
	int status;        /* first failure */
	bool has_sender, started, watched;
	/* PAST and DONE. */
	bool past;
	int64_t birth, due;
	uint32_t uid, pid;
	struct buf done, notes;
	uint32_t nnotes;
};

struct client {
	struct server *sv;
	struct client *prev, *next;
	struct client *next_waiting;
	int fd;
	struct event *readable;
	struct unixsock_peer peer;
	struct buf in;
	struct incoming m;
	size_t held;       /* bytes that it makes us keep */
	uint64_t watching; /* the message that it is told about, or 0 */
	bool busy;         /* its message is being made durable; nothing is read meanwhile */
	bool gone;         /* it left while busy */
};

static void incoming_init(struct incoming *m)
{
	*m = (struct incoming){ .body = -1 };
	m->sender = m->content = m->head = m->done = BUF_INIT(SIZE_MAX);
	m->notes = BUF_INIT(NOTES_MAX);
	m->recipients = BUF_INIT(ENVELOPE_MAX);
	m->attributes = BUF_INIT(ATTRIBUTES_MAX);
}

static void incoming_reset(struct client *c)
{
	struct incoming *m = &c->m;

	if (m->body != -1) {
		file_close(m->body);
		journal_body_discard(c->sv->journal, m->id);
	}
	buf_free(&m->sender);
	buf_free(&m->recipients);
	buf_free(&m->attributes);
	buf_free(&m->content);
	buf_free(&m->head);
	buf_free(&m->done);
	buf_free(&m->notes);
	incoming_init(m);
}

static size_t holds(const struct client *c)
{
	const struct incoming *m = &c->m;

	return c->in.cap + m->content.cap + m->recipients.cap + m->attributes.cap + m->notes.cap + m->done.cap;
}

static void client_free(struct client *c)
{
	struct server *sv = c->sv;

	if (c->busy) {
		/* The commit or the sync thread still refers to it. */
		c->gone = true;
		event_del(c->readable);
		return;
	}
	incoming_reset(c);
	event_free(c->readable);
	close(c->fd);
	buf_free(&c->in);
	if (c->prev)
		c->prev->next = c->next;
	else
		sv->clients = c->next;
	if (c->next)
		c->next->prev = c->prev;
	sv->nclients--;
	sv->nwatching -= c->watching != 0;
	held_too_much(sv, &c->held, 0);
	free(c);
}

static void reply(struct client *c, int status, uint64_t id)
{
	struct buf out = BUF_INIT(64);

	frame_begin(&out, FRAME_REPLY, 9);
	wire_put_u8(&out, (uint8_t)status);
	wire_put_u64(&out, id);
	/* 14 bytes always fit: a client has one answer outstanding. */
	if (send(c->fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT) == -1)
		service_log(NAME, "warning: a client left before its answer: %s", errno_text(errno));
	buf_free(&out);
}

/* ---- the content ------------------------------------------------------------------ */

static struct str how_of(const struct client *c, char by_uid[40])
{
	const struct accounts *a = &c->sv->accounts;

	if (a->separated) {
		if (c->peer.uid == a->uid[ACCOUNT_ALIAS])
			return STR("by alias");
		if (c->peer.uid == a->uid[ACCOUNT_DAEMON])
			return STR("from network");
		if (c->peer.uid == a->uid[ACCOUNT_SEND])
			return STR("for bounce");
	} else if (c->m.how.n) {
		/* One user for all: what it says of itself is all there is. */
		return c->m.how;
	}
	snprintf(by_uid, 40, "by uid %lu", (unsigned long)c->peer.uid);
	return str_of(by_uid);
}

/* The number and the Received line are settled when the first byte of content comes, or at the end. */
static void begin_content(struct client *c)
{
	struct incoming *m = &c->m;
	char by_uid[40];

	if (m->started)
		return;
	m->started = true;
	m->id = journal_new_id(c->sv->journal);
	if (!m->past)
		received_queue(&m->head, (uint64_t)c->peer.pid, how_of(c, by_uid), clock_wall());
	m->size = m->head.n;
}

static void write_failed(struct client *c)
{
	service_log(NAME, "warning: unable to write queue/body/%llu: %s", (unsigned long long)c->m.id,
		    errno_text(errno));
	c->m.status = errno == ENOSPC || errno == EDQUOT || errno == EIO ? WRITE_ERROR : QUEUE_TROUBLE;
}

/* Content that is large goes into a file of its own, so that it does not stall small messages. */
static void spill(struct client *c)
{
	struct incoming *m = &c->m;

	if (!journal_has_room(c->sv->journal)) {
		m->status = WRITE_ERROR;
		return;
	}
	m->body = journal_body_create(c->sv->journal, m->id);
	if (m->body == -1 || file_append(m->body, m->head.p, m->head.n) == -1 ||
	    file_append(m->body, m->content.p, m->content.n) == -1)
		write_failed(c);
	m->body_crc = crc32c(crc32c(0, m->head.p, m->head.n), m->content.p, m->content.n);
	buf_free(&m->content);
}

static void take_data(struct client *c, struct str data)
{
	struct incoming *m = &c->m;

	begin_content(c);
	if (m->status)
		return;
	m->size += data.n;
	if (m->body != -1) {
		if (file_append(m->body, data.p, data.n) == -1)
			write_failed(c);
		m->body_crc = crc32c(m->body_crc, data.p, data.n);
		return;
	}
	buf_add(&m->content, data);
	if (m->content.n > JOURNAL_INLINE_MAX)
		spill(c);
}

/* ---- the envelope ------------------------------------------------------------------- */

static void take_sender(struct client *c, struct str address)
{
	struct incoming *m = &c->m;

	if (m->has_sender)
		m->status = BAD_ENVELOPE;
	else if (!queue_address_acceptable(address))
		m->status = ADDRESS_TOO_LONG;
	m->has_sender = true;
	buf_clear(&m->sender);
	buf_add(&m->sender, address);
}

static void take_recipient(struct client *c, struct str address)
{
	struct incoming *m = &c->m;

	if (!queue_address_acceptable(address)) {
		m->status = ADDRESS_TOO_LONG;
		return;
	}
	wire_put_str(&m->recipients, address);
	m->last_recipient = m->recipients.n;
	wire_put_str(&m->recipients, STR(""));
	m->nrecipients++;
	if (!buf_ok(&m->recipients))
		m->status = WRITE_ERROR;
}

/* Nobody else may say when a message came, or that somebody has it already. */
static bool may_tell_past(const struct client *c)
{
	return c->peer.uid == 0 || c->peer.uid == geteuid();
}

static void take_past(struct client *c, struct str payload)
{
	struct incoming *m = &c->m;
	struct wire_reader r = wire_reader(payload);

	m->birth = (int64_t)wire_get_u64(&r);
	m->due = (int64_t)wire_get_u64(&r);
	m->uid = wire_get_u32(&r);
	m->pid = wire_get_u32(&r);
	m->past = true;
	if (!wire_end(&r) || m->started || !may_tell_past(c))
		m->status = BAD_ENVELOPE;
}

static void take_done(struct client *c, struct str payload)
{
	struct incoming *m = &c->m;
	struct wire_reader r = wire_reader(payload);
	bool failed = wire_get_u8(&r) != 0;
	struct str text = wire_get_str(&r, JOURNAL_NOTE_MAX);
	uint32_t i = m->nrecipients - 1;

	if (!wire_end(&r) || !m->past || m->nrecipients == 0) {
		m->status = BAD_ENVELOPE;
		return;
	}
	while (m->done.n <= i / 8)
		buf_addc(&m->done, 0);
	m->done.p[i / 8] = (char)(m->done.p[i / 8] | 1 << i % 8);
	if (!failed)
		return;
	wire_put_u32(&m->notes, i);
	wire_put_str(&m->notes, text);
	m->nnotes++;
	if (!buf_ok(&m->notes))
		m->status = WRITE_ERROR;
}

static void take_attribute(struct client *c, struct str payload)
{
	struct incoming *m = &c->m;
	struct str value = str_from(payload, 1);

	if (payload.n == 0) {
		m->status = BAD_ENVELOPE;
		return;
	}
	if (payload.p[0] == ATTR_PROTOCOL && !c->sv->accounts.separated) {
		if (str_eq(value, STR("bounce")))
			m->how = STR("for bounce");
		else if (!str_eq(value, STR("local")))
			m->how = STR("from network");
	}
	wire_put_u8(&m->attributes, (uint8_t)payload.p[0]);
	wire_put_str(&m->attributes, value);
	if (!buf_ok(&m->attributes))
		m->status = WRITE_ERROR;
}

/* Rewrites the last recipient's attribute string with one more in it. */
static void take_recipient_attribute(struct client *c, struct str payload)
{
	struct incoming *m = &c->m;
	struct buf value = BUF_INIT(FRAME_MAX * 4);
	struct wire_reader old;

	if (payload.n == 0 || m->nrecipients == 0) {
		m->status = BAD_ENVELOPE;
		return;
	}
	old = wire_reader(str_from(buf_str(&m->recipients), m->last_recipient));
	buf_add(&value, wire_get_str(&old, SIZE_MAX));
	wire_put_u8(&value, (uint8_t)payload.p[0]);
	wire_put_str(&value, str_from(payload, 1));
	buf_truncate(&m->recipients, m->last_recipient);
	wire_put_str(&m->recipients, buf_str(&value));
	if (!buf_ok(&value) || !buf_ok(&m->recipients))
		m->status = WRITE_ERROR;
	buf_free(&value);
}

/* ---- the commit ---------------------------------------------------------------------- */

static void watch(struct client *c, uint64_t id)
{
	c->sv->nwatching += (id != 0) - (c->watching != 0);
	c->watching = id;
}

void client_event(struct server *sv, uint64_t id, char letter, uint32_t recipient, struct str text)
{
	struct buf payload = BUF_INIT(FRAME_MAX), out = BUF_INIT(SIZE_MAX);
	struct client *c = sv->nwatching ? sv->clients : NULL;

	while (c && c->watching != id)
		c = c->next;
	if (c == NULL)
		return;
	wire_put_u8(&payload, (uint8_t)letter);
	wire_put_u32(&payload, recipient);
	tell_address(sv, id, recipient, &payload);
	wire_put_str(&payload, str_head(text, JOURNAL_NOTE_MAX));
	frame_put(&out, FRAME_EVENT, buf_str(&payload));
	/* One that does not read misses something. */
	if (letter == 'E' || send(c->fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)out.n)
		watch(c, 0);
	if (letter == 'E')
		send(c->fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	buf_free(&payload);
	buf_free(&out);
}

static void end_message(struct client *c, int status)
{
	uint64_t id = c->m.id;

	watch(c, status == OK && c->m.watched ? id : 0);
	if (status == OK && c->m.body != -1) {
		/* The body belongs to the message now. */
		file_close(c->m.body);
		c->m.body = -1;
	}
	c->busy = false;
	incoming_reset(c);
	if (c->gone) {
		client_free(c);
		return;
	}
	held_too_much(c->sv, &c->held, holds(c));
	reply(c, status, id);
	event_add(c->readable, NULL);
	if (c->in.n)
		event_active(c->readable, EV_READ, 0);
}

/* Every message can be followed; a program of ours may have given it an id before. */
static void add_trace(struct incoming *m)
{
	unsigned char bytes[8];
	char id[2 * sizeof bytes + 1];

	/* Rather a message without one than none. */
	if (m->attributes.n + sizeof id + 8 > ATTRIBUTES_MAX || queue_attribute(buf_str(&m->attributes), ATTR_TRACE).n)
		return;
	random_bytes(bytes, sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++)
		snprintf(id + 2 * i, 3, "%02x", bytes[i]);
	wire_put_u8(&m->attributes, ATTR_TRACE);
	wire_put_str(&m->attributes, str_of(id));
}

static void add_past(struct incoming *m, struct journal_message *message)
{
	/* A bit for each, or none at all. */
	while (m->done.n && m->done.n < (m->nrecipients + 7) / 8)
		buf_addc(&m->done, 0);
	message->birth = m->birth;
	message->due = m->due;
	message->uid = m->uid;
	message->pid = m->pid;
	message->done = buf_str(&m->done);
	message->nnotes = m->nnotes;
	message->notes = buf_str(&m->notes);
}

/* Has the client gone, who would not hear that its message is accepted? */
static bool has_left(const struct client *c)
{
	char byte;

	return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void stage(struct client *c)
{
	struct incoming *m = &c->m;
	struct journal_message message = { .birth = clock_wall(),
					   .uid = c->peer.uid,
					   .pid = (uint32_t)c->peer.pid,
					   .sender = buf_str(&m->sender),
					   .attributes = buf_str(&m->attributes),
					   .recipients = buf_str(&m->recipients),
					   .nrecipients = m->nrecipients,
					   .head = buf_str(&m->head),
					   .content = buf_str(&m->content),
					   .has_body = m->body != -1,
					   .body_size = m->size,
					   .body_crc = m->body_crc };
	struct err e;

	/* Nothing was promised, and whoever looks into the queue after its end must not find the message appear. */
	if (has_left(c)) {
		end_message(c, WRITE_ERROR);
		return;
	}
	if (m->past)
		add_past(m, &message);

	if (!journal_stage_message(c->sv->journal, m->id, &message, &e)) {
		service_log(NAME, "warning: message refused: %s", e.text);
		end_message(c, e.kind == ERR_PERMANENT ? ADDRESS_TOO_LONG : WRITE_ERROR);
		return;
	}
	c->next_waiting = NULL;
	if (c->sv->waiting)
		c->sv->last_waiting->next_waiting = c;
	else
		c->sv->waiting = c;
	c->sv->last_waiting = c;
}

void client_body_synced(struct server *sv, struct client *c, bool ok)
{
	(void)sv;
	if (ok)
		stage(c);
	else
		end_message(c, WRITE_ERROR);
}

void client_answer_waiting(struct server *sv, bool ok, const struct err *e)
{
	struct client *c = sv->waiting, *next;
	int status = ok ? OK : e->sys == ENOSPC || e->sys == EIO || e->sys == EDQUOT ? WRITE_ERROR : QUEUE_TROUBLE;

	sv->waiting = NULL;
	for (; c; c = next) {
		uint64_t id = c->m.id;

		next = c->next_waiting;
		end_message(c, status);
		if (ok)
			manager_announce(sv, id);
	}
}

static void take_commit(struct client *c)
{
	struct incoming *m = &c->m;

	begin_content(c);
	add_trace(m);
	if (m->status == OK && !m->has_sender)
		m->status = BAD_ENVELOPE;
	c->busy = true;
	event_del(c->readable);
	if (m->status)
		end_message(c, m->status);
	else if (m->body != -1)
		bodies_sync(c->sv, c, m->body);
	else
		stage(c);
}

/* The rest of the message is not kept, and its commit will fail. */
static void give_up(struct client *c)
{
	struct incoming *m = &c->m;

	service_log(NAME, "warning: message of pid %ld (uid %lu) refused: those that come in take too much memory",
		    (long)c->peer.pid, (unsigned long)c->peer.uid);
	m->status = WRITE_ERROR;
	buf_free(&m->content);
	buf_free(&m->recipients);
	buf_free(&m->attributes);
	buf_free(&m->notes);
	buf_free(&m->done);
	held_too_much(c->sv, &c->held, holds(c));
}

/* False: the client does not keep to the protocol. */
static bool take_frame(struct client *c, uint8_t type, struct str payload)
{
	/* After a failure only the end matters. */
	if (c->m.status && type < 32 && PARTS_OF_MESSAGE >> type & 1)
		return true;
	switch (type) {
	case FRAME_SENDER:
		take_sender(c, payload);
		return true;
	case FRAME_RECIPIENT:
		take_recipient(c, payload);
		return true;
	case FRAME_ATTRIBUTE:
		take_attribute(c, payload);
		return true;
	case FRAME_RECIPIENT_ATTRIBUTE:
		take_recipient_attribute(c, payload);
		return true;
	case FRAME_DATA:
		take_data(c, payload);
		return true;
	case FRAME_PAST:
		take_past(c, payload);
		return true;
	case FRAME_WATCH:
		c->m.watched = true;
		return true;
	case FRAME_DONE:
		take_done(c, payload);
		return true;
	case FRAME_COMMIT:
		take_commit(c);
		return true;
	case FRAME_ABORT:
		incoming_reset(c);
		return true;
	default:
		return false;
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	struct str rest, payload;
	uint8_t type;
	ssize_t got;
	int taken = 0;
	bool sound = true;

	(void)what;
	got = recv(fd, buf_room(&c->in, READ_SIZE), READ_SIZE, MSG_DONTWAIT);
	/* Without new bytes there may still be a message that waited for the one before. */
	if (got == -1 && (errno == EAGAIN || errno == EINTR)) {
		got = 0;
	} else if (got <= 0) {
		client_free(c);
		return;
	}
	buf_wrote(&c->in, (size_t)got);
	rest = buf_str(&c->in);
	while (sound && !c->busy && (taken = frame_take(&rest, &type, &payload)) == 1)
		sound = take_frame(c, type, payload);
	if (!sound || taken == -1) {
		service_log(NAME, "warning: pid %ld (uid %lu) does not speak my protocol; closing", (long)c->peer.pid,
			    (unsigned long)c->peer.uid);
		client_free(c);
		return;
	}
	buf_consume(&c->in, c->in.n - rest.n);
	if (held_too_much(c->sv, &c->held, holds(c)) && !c->busy && c->m.status == OK)
		give_up(c);
}

static void complain(struct server *sv, const char *why)
{
	int64_t now = clock_monotonic_ms();

	if (sv->complained && now - sv->complained < COMPLAIN_MS)
		return;
	sv->complained = now;
	service_log(NAME, "warning: turning clients away: %s", why);
}

/* No user of the machine can take all places from the others. */
static bool has_his_share(const struct server *sv, uid_t uid)
{
	size_t n = 0;

	if (sv->nclients < CLIENTS_OF_ONE || accounts_ours(&sv->accounts, uid))
		return false;
	for (const struct client *c = sv->clients; c; c = c->next)
		n += c->peer.uid == uid;
	return n >= CLIENTS_OF_ONE;
}

/* The listening socket stays readable while accept fails: without a pause the loop would spin. */
static void pause_listening(struct server *sv, int error)
{
	struct timeval pause = { 0, 200000 };

	complain(sv, errno_text(error));
	event_del(sv->listening);
	event_add(sv->listen_again, &pause);
}

void client_listen_again(struct server *sv)
{
	event_add(sv->listening, NULL);
}

bool client_add(struct server *sv, int fd, struct err *e)
{
	struct unixsock_peer peer;
	struct client *c;

	if (!unixsock_peer(fd, &peer, e))
		return false;
	c = mem_zero(1, sizeof *c);
	c->sv = sv;
	c->fd = fd;
	c->peer = peer;
	c->in = BUF_INIT(SIZE_MAX);
	incoming_init(&c->m);
	c->readable = event_new(sv->loop, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->next = sv->clients;
	if (c->next)
		c->next->prev = c;
	sv->clients = c;
	sv->nclients++;
	event_add(c->readable, NULL);
	return true;
}

void client_accept(struct server *sv)
{
	/* A bounded number at a time keeps the turn short. */
	for (int i = 0; i < 64; i++) {
		int fd = unixsock_accept(sv->client_listener, UNIXSOCK_STREAM);
		struct unixsock_peer peer;
		struct err e;

		if (fd == -1) {
			if (errno != EAGAIN && errno != ECONNABORTED)
				pause_listening(sv, errno);
			return;
		}
		if (sv->nclients >= CLIENTS_MAX || !unixsock_peer(fd, &peer, &e) || has_his_share(sv, peer.uid)) {
			complain(sv, "too many are connected");
			close(fd);
			continue;
		}
		if (!client_add(sv, fd, &e))
			close(fd);
	}
}
