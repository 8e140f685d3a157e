/* journal_manager: the scheduler and operators' tools, over run/queue. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "qmail-journal/journal_server.h"
#include "sys/file.h"
#include "sys/packetqueue.h"
#include "sys/service.h"
#include "wire/attribute.h"
#include "wire/queueproto.h"

#define NAME "qmail-journal"
#define WAITING_PER_PACKET 4000
/* Beyond this the scheduler is told of new messages by number only; it asks for the rest when it can. */
#define BACKLOG_MAX (4u << 20)
#define PACKETS_A_TURN 512

struct manager {
	struct server *sv;
	struct manager *prev, *next;
	int fd;
	struct event *readable, *writable;
	struct packet_queue out;
	struct buf in;
};

static void manager_free(struct manager *g)
{
	struct server *sv = g->sv;

	if (sv->scheduler == g)
		sv->scheduler = NULL;
	packet_queue_clear(&g->out);
	event_free(g->readable);
	event_free(g->writable);
	close(g->fd);
	buf_free(&g->in);
	if (g->prev)
		g->prev->next = g->next;
	else
		sv->managers = g->next;
	if (g->next)
		g->next->prev = g->prev;
	free(g);
}

/* Sends now, or as soon as the peer reads; takes passfd over. */
static void send_packet(struct manager *g, struct str bytes, int passfd)
{
	if (!packet_queue_send(&g->out, g->fd, bytes, passfd))
		event_add(g->writable, NULL);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct manager *g = arg;

	(void)what;
	if (packet_queue_flush(&g->out, fd))
		event_del(g->writable);
}

/* ---- telling about messages ------------------------------------------------------------ */

static uint8_t flags_of(const struct journal_envelope *env)
{
	struct wire_reader r = wire_reader(env->attributes);
	uint8_t flags = env->failed ? MESSAGE_FAILED : 0;

	while (r.rest.n && !r.bad) {
		uint8_t which = wire_get_u8(&r);

		wire_get_str(&r, SIZE_MAX);
		if (which == ATTR_BODY_8BIT)
			flags |= MESSAGE_8BIT;
		if (which == ATTR_SMTPUTF8)
			flags |= MESSAGE_SMTPUTF8;
	}
	return flags;
}

/* One or more MESSAGE packets with all recipients. */
static void send_message(struct manager *g, const struct journal_envelope *env)
{
	struct wire_reader r = wire_reader(env->recipients);
	struct message_packet m = { .id = env->id,
				    .birth = (uint64_t)env->birth,
				    .size = env->size,
				    .uid = env->uid,
				    .pid = env->pid,
				    .total = env->nrecipients,
				    .sender = env->sender };
	uint8_t flags = flags_of(env);
	struct buf out = BUF_INIT(SIZE_MAX), list = BUF_INIT(SIZE_MAX);

	do {
		buf_clear(&out);
		buf_clear(&list);
		for (m.count = 0; m.first + m.count < m.total && list.n < QUEUE_PACKET_MAX / 2; m.count++) {
			struct str address = wire_get_str(&r, SIZE_MAX);

			wire_get_str(&r, SIZE_MAX);
			queue_put_recipient(&list, journal_done(g->sv->journal, m.id, m.first + m.count), address);
		}
		m.flags = flags | (m.first + m.count < m.total ? MESSAGE_MORE : 0);
		queue_put_message(&out, &m);
		buf_add(&out, buf_str(&list));
		send_packet(g, buf_str(&out), -1);
		m.first += m.count;
	} while (m.flags & MESSAGE_MORE);
	buf_free(&out);
	buf_free(&list);
}

static void send_waiting(struct manager *g, const struct journal_info *info, uint32_t n)
{
	struct buf out = BUF_INIT(SIZE_MAX);

	wire_put_u8(&out, PACKET_WAITING);
	wire_put_u32(&out, n);
	for (uint32_t i = 0; i < n; i++) {
		wire_put_u64(&out, info[i].id);
		wire_put_u64(&out, (uint64_t)info[i].birth);
		wire_put_u64(&out, (uint64_t)info[i].due);
	}
	send_packet(g, buf_str(&out), -1);
	buf_free(&out);
}

void manager_announce(struct server *sv, uint64_t id)
{
	struct manager *g = sv->scheduler;
	struct journal_envelope env;
	struct err e;

	if (g == NULL)
		return;
	if (g->out.bytes > BACKLOG_MAX) {
		send_waiting(g, &(struct journal_info){ .id = id }, 1);
		return;
	}
	if (!journal_read_envelope(sv->journal, id, &env, &e)) {
		service_log(NAME, "alert: %s", e.text);
		return;
	}
	send_message(g, &env);
	buf_free(&env.storage);
}

struct collected {
	struct manager *g;
	struct journal_info *items;
	uint32_t n;
};

static void collect(void *ctx, const struct journal_info *info)
{
	struct collected *c = ctx;

	c->items[c->n++] = *info;
	if (c->n == WAITING_PER_PACKET) {
		send_waiting(c->g, c->items, c->n);
		c->n = 0;
	}
}

static void send_ready(struct manager *g)
{
	char ready = PACKET_READY;

	send_packet(g, (struct str){ &ready, 1 }, -1);
}

static void manage(struct manager *g)
{
	struct collected c = { .g = g, .items = mem_array(NULL, WAITING_PER_PACKET, sizeof(struct journal_info)) };

	if (g->sv->scheduler)
		service_log(NAME, "warning: another scheduler has taken over");
	g->sv->scheduler = g;
	journal_each(g->sv->journal, collect, &c);
	if (c.n)
		send_waiting(g, c.items, c.n);
	free(c.items);
	send_ready(g);
}

/* What a CONTENT packet says. */
enum content_status { CONTENT_GIVEN = 0, CONTENT_LATER = 1, CONTENT_LOST = 2 };

/* ---- contents ----------------------------------------------------------------------------- */

/* A sealed copy in memory: whoever gets it can read it, and nothing else of the queue. */
static int sealed_copy(struct str content)
{
	int fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd == -1)
		return -1;
	if (file_write_at(fd, content.p, content.n, 0) == -1 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A body that is not as long as its message says is damaged. */
static int open_body(struct manager *g, const struct journal_envelope *env)
{
	int fd = journal_open_body(g->sv->journal, env->id);

	if (fd == -1 || file_size(fd) == (int64_t)env->size)
		return fd;
	close(fd);
	errno = EIO;
	return -1;
}

/* status: CONTENT_GIVEN with a descriptor, or why there is none. */
static void send_content(struct manager *g, uint64_t id, enum content_status status, int fd)
{
	struct buf out = BUF_INIT(64);

	wire_put_u8(&out, PACKET_CONTENT);
	wire_put_u64(&out, id);
	wire_put_u8(&out, (uint8_t)status);
	send_packet(g, buf_str(&out), fd);
	buf_free(&out);
}

static void hand_out(struct manager *g, const struct journal_envelope *env)
{
	int fd = env->has_body ? open_body(g, env) : sealed_copy(env->content);

	if (fd == -1)
		service_log(NAME, "warning: unable to hand out message %llu: %s", (unsigned long long)env->id,
			    errno_text(errno));
	send_content(g, env->id, fd == -1 ? CONTENT_LATER : CONTENT_GIVEN, fd);
}

static void open_message(struct manager *g, uint64_t id, uint8_t want)
{
	struct journal_envelope env;
	struct err e;

	if (!journal_read_envelope(g->sv->journal, id, &env, &e)) {
		service_log(NAME, "alert: %s", e.text);
		send_content(g, id, e.kind == ERR_TEMPORARY ? CONTENT_LATER : CONTENT_LOST, -1);
		return;
	}
	if (want & OPEN_ENVELOPE)
		send_message(g, &env);
	if (want & OPEN_CONTENT)
		hand_out(g, &env);
	buf_free(&env.storage);
}

/* ---- notes, lists, figures ------------------------------------------------------------------- */

struct note_sender {
	struct manager *g;
	uint64_t id;
};

static void send_note(void *ctx, uint32_t recipient, struct str text)
{
	struct note_sender *n = ctx;
	struct buf out = BUF_INIT(SIZE_MAX);

	wire_put_u8(&out, PACKET_NOTE);
	wire_put_u64(&out, n->id);
	wire_put_u32(&out, recipient);
	wire_put_str(&out, text);
	send_packet(n->g, buf_str(&out), -1);
	buf_free(&out);
}

static void send_notes(struct manager *g, uint64_t id)
{
	struct note_sender n = { g, id };
	struct buf out = BUF_INIT(64);
	struct err e = { 0 };

	if (!journal_each_note(g->sv->journal, id, send_note, &n, &e))
		service_log(NAME, "alert: %s", e.text);
	wire_put_u8(&out, PACKET_NOTES_END);
	wire_put_u64(&out, id);
	send_packet(g, buf_str(&out), -1);
	buf_free(&out);
}

static void collect_id(void *ctx, const struct journal_info *info)
{
	struct collected *c = ctx;

	c->items[c->n++] = *info;
}

static void send_list(struct manager *g)
{
	size_t n = journal_count(g->sv->journal);
	struct collected c = { .g = g, .items = mem_array(NULL, n + 1, sizeof(struct journal_info)) };

	journal_each(g->sv->journal, collect_id, &c);
	for (uint32_t i = 0; i < c.n; i++) {
		struct journal_envelope env;
		struct err e;

		if (!journal_read_envelope(g->sv->journal, c.items[i].id, &env, &e))
			continue;
		send_message(g, &env);
		buf_free(&env.storage);
	}
	free(c.items);
	send_ready(g);
}

static void send_status(struct manager *g)
{
	struct buf out = BUF_INIT(128);
	struct journal_stats s;

	journal_stats(g->sv->journal, &s);
	wire_put_u8(&out, PACKET_STATUS);
	wire_put_u64(&out, s.live);
	wire_put_u64(&out, s.live_bytes);
	wire_put_u64(&out, s.segments);
	wire_put_u64(&out, s.accepted);
	wire_put_u64(&out, s.corrupt);
	wire_put_u8(&out, s.refusing);
	send_packet(g, buf_str(&out), -1);
	buf_free(&out);
}

/* ---- requests -------------------------------------------------------------------------------- */

/* What only the scheduler may say. */
static bool take_decision(struct manager *g, uint8_t type, struct wire_reader *r)
{
	struct journal *j = g->sv->journal;
	uint64_t id = wire_get_u64(r), due;
	uint32_t recipient;
	uint8_t letter;
	struct str text;

	switch (type) {
	case PACKET_RESULT:
		recipient = wire_get_u32(r);
		letter = wire_get_u8(r);
		text = wire_get_str(r, QUEUE_PACKET_MAX);
		if (!wire_end(r))
			return false;
		journal_stage_result(j, id, recipient, letter == 'D', text);
		return true;
	case PACKET_DEFER:
		due = wire_get_u64(r);
		if (!wire_end(r))
			return false;
		journal_stage_defer(j, id, (int64_t)due);
		return true;
	case PACKET_END:
		if (!wire_end(r))
			return false;
		journal_stage_end(j, id);
		return true;
	case PACKET_NOTES:
		if (!wire_end(r))
			return false;
		send_notes(g, id);
		return true;
	default:
		return false;
	}
}

static bool take_packet(struct manager *g, struct str packet)
{
	struct wire_reader r = wire_reader(packet);
	uint8_t type = wire_get_u8(&r), want;
	uint64_t id;

	switch (type) {
	case PACKET_MANAGE:
		manage(g);
		return wire_end(&r);
	case PACKET_OPEN:
		id = wire_get_u64(&r);
		want = wire_get_u8(&r);
		if (!wire_end(&r))
			return false;
		open_message(g, id, want);
		return true;
	case PACKET_STAT:
		send_status(g);
		return wire_end(&r);
	case PACKET_LIST:
		send_list(g);
		return wire_end(&r);
	default:
		return g == g->sv->scheduler && take_decision(g, type, &r);
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct manager *g = arg;

	(void)what;
	for (int i = 0; i < PACKETS_A_TURN; i++) {
		ssize_t got;
		int passed;

		buf_clear(&g->in);
		got = unixsock_recv(fd, &g->in, QUEUE_PACKET_MAX, &passed);
		if (passed != -1)
			close(passed);
		if (got == -1 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got <= 0) {
			manager_free(g);
			return;
		}
		if (!take_packet(g, buf_str(&g->in))) {
			service_log(NAME, "warning: a peer on run/queue does not speak my protocol; closing");
			manager_free(g);
			return;
		}
	}
}

static bool may_manage(const struct server *sv, const struct unixsock_peer *peer)
{
	return peer->uid == 0 || peer->uid == geteuid() || peer->uid == sv->accounts.uid[ACCOUNT_SEND];
}

void manager_accept(struct server *sv)
{
	int fd;

	while ((fd = unixsock_accept(sv->manager_listener, UNIXSOCK_PACKET)) != -1) {
		struct unixsock_peer peer;
		struct manager *g;
		struct err e;

		if (!unixsock_peer(fd, &peer, &e) || !may_manage(sv, &peer)) {
			close(fd);
			continue;
		}
		g = mem_zero(1, sizeof *g);
		g->sv = sv;
		g->fd = fd;
		packet_queue_init(&g->out);
		g->in = BUF_INIT(QUEUE_PACKET_MAX);
		g->readable = event_new(sv->loop, fd, EV_READ | EV_PERSIST, on_readable, g);
		g->writable = event_new(sv->loop, fd, EV_WRITE | EV_PERSIST, on_writable, g);
		g->next = sv->managers;
		if (g->next)
			g->next->prev = g;
		sv->managers = g;
		event_add(g->readable, NULL);
	}
}
