/* journal_manager: the scheduler and operators' tools, over run/queue. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "qmail-journal/journal_server.h"
#include "sys/file.h"
#include "sys/service.h"

#define NAME "qmail-journal"
/* Beyond this the scheduler is told of new messages by number only; it asks for the rest when it can. */
#define BACKLOG_MAX (4u << 20)
#define PACKETS_A_TURN 512

static void manager_free(struct manager *g)
{
	struct server *sv = g->sv;

	if (sv->scheduler == g)
		sv->scheduler = NULL;
	orders_forget(sv, g);
	free(g->stream.ids);
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

void manager_send(struct manager *g, struct str packet, int passfd)
{
	if (!packet_queue_send(&g->out, g->fd, packet, passfd))
		event_add(g->writable, NULL);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct manager *g = arg;

	(void)what;
	if (!packet_queue_flush(&g->out, fd))
		return;
	if (g->stream.ids)
		tell_more(g);
	else
		event_del(g->writable);
}

void manager_announce(struct server *sv, uint64_t id)
{
	struct manager *g = sv->scheduler;
	struct journal_envelope env;
	struct journal_info info;
	struct err e;

	if (g == NULL)
		return;
	if (g->out.bytes > BACKLOG_MAX) {
		if (journal_info_of(sv->journal, id, &info))
			tell_number(g, &info);
		return;
	}
	if (!journal_read_head(sv->journal, id, &env, &e)) {
		service_log(NAME, "alert: %s", e.text);
		return;
	}
	tell_message(g, &env);
	buf_free(&env.storage);
}

static void manage(struct manager *g)
{
	if (g->sv->scheduler)
		service_log(NAME, "warning: another scheduler has taken over");
	g->sv->scheduler = g;
	tell_all(g, true, 0);
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
	manager_send(g, buf_str(&out), fd);
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
	bool content = want & OPEN_CONTENT;
	struct journal_envelope env;
	struct err e;
	bool read = content ? journal_read_envelope(g->sv->journal, id, &env, &e)
			    : journal_read_head(g->sv->journal, id, &env, &e);

	if (!read) {
		service_log(NAME, "alert: %s", e.text);
		send_content(g, id, e.kind == ERR_TEMPORARY ? CONTENT_LATER : CONTENT_LOST, -1);
		return;
	}
	if (want & OPEN_ENVELOPE)
		tell_message(g, &env);
	if (want & OPEN_ANSWERS)
		tell_answers(g, &env);
	if (content)
		hand_out(g, &env);
	buf_free(&env.storage);
}

/* ---- notes, figures ------------------------------------------------------------------- */

struct note_sender {
	struct manager *g;
	uint64_t id;
};

static void send_note(void *ctx, uint32_t recipient, enum journal_result result, struct str text)
{
	struct note_sender *n = ctx;
	struct buf out = BUF_INIT(SIZE_MAX);

	wire_put_u8(&out, PACKET_NOTE);
	wire_put_u64(&out, n->id);
	wire_put_u32(&out, recipient);
	wire_put_u8(&out, result == JOURNAL_FAILED ? RESULT_FAILED : RESULT_REPORTABLE);
	wire_put_str(&out, text);
	manager_send(n->g, buf_str(&out), -1);
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
	manager_send(g, buf_str(&out), -1);
	buf_free(&out);
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
	manager_send(g, buf_str(&out), -1);
	buf_free(&out);
}

/* ---- requests -------------------------------------------------------------------------------- */

static enum journal_result result_of(uint8_t letter)
{
	return letter == RESULT_FAILED       ? JOURNAL_FAILED
	       : letter == RESULT_REPORTABLE ? JOURNAL_REPORTABLE
					     : JOURNAL_DELIVERED;
}

static bool take_reported(struct journal *j, uint64_t id, struct wire_reader *r)
{
	static uint32_t recipients[REPORTED_MAX];
	uint32_t n = wire_get_u32(r);

	if (n > REPORTED_MAX)
		return false;
	for (uint32_t i = 0; i < n; i++)
		recipients[i] = wire_get_u32(r);
	if (!wire_end(r))
		return false;
	if (n)
		journal_stage_reported(j, id, recipients, n);
	else
		journal_stage_told_late(j, id);
	return true;
}

static void tell_deferred(struct server *sv, uint64_t id, struct str answers)
{
	struct wire_reader r = wire_reader(answers);

	while (sv->nwatching && r.rest.n && !r.bad) {
		uint32_t recipient = wire_get_u32(&r);

		client_event(sv, id, 'Z', recipient, wire_get_str(&r, SIZE_MAX));
	}
}

/* What only the scheduler may say. */
static bool take_decision(struct manager *g, uint8_t type, struct wire_reader *r)
{
	struct journal *j = g->sv->journal;
	uint64_t id = wire_get_u64(r), due;
	uint32_t recipient;
	uint8_t letter;
	struct str text, answers;

	switch (type) {
	case PACKET_RESULT:
		recipient = wire_get_u32(r);
		letter = wire_get_u8(r);
		text = wire_get_str(r, QUEUE_PACKET_MAX);
		if (!wire_end(r))
			return false;
		journal_stage_result(j, id, recipient, result_of(letter), text);
		client_event(g->sv, id, letter == RESULT_FAILED ? 'D' : 'K', recipient, text);
		return true;
	case PACKET_REPORTED:
		return take_reported(j, id, r);
	case PACKET_DEFER:
		due = wire_get_u64(r);
		answers = wire_get_str(r, QUEUE_PACKET_MAX);
		if (!wire_end(r))
			return false;
		journal_stage_defer(j, id, (int64_t)due, answers);
		tell_deferred(g->sv, id, answers);
		return true;
	case PACKET_END:
		if (!wire_end(r))
			return false;
		client_event(g->sv, id, 'E', 0, STR(""));
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
	struct order_packet order;
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
		want = wire_get_u8(&r);
		if (!wire_end(&r))
			return false;
		tell_all(g, false, want);
		return true;
	case PACKET_ORDER:
		if (!queue_get_order(&r, &order, false))
			return false;
		order_given(g, &order);
		return true;
	case PACKET_ORDERED:
		return g == g->sv->scheduler && order_done(g->sv, &r);
	case PACKET_EDIT:
		return g == g->sv->scheduler && order_edit(g->sv, &r);
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

void manager_add(struct server *sv, int fd, uid_t uid)
{
	struct manager *g = mem_zero(1, sizeof *g);

	g->sv = sv;
	g->fd = fd;
	g->uid = uid;
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

void manager_accept(struct server *sv)
{
	int fd;

	while ((fd = unixsock_accept(sv->manager_listener, UNIXSOCK_PACKET)) != -1) {
		struct unixsock_peer peer;
		struct err e;

		if (unixsock_peer(fd, &peer, &e) && may_manage(sv, &peer))
			manager_add(sv, fd, peer.uid);
		else
			close(fd);
	}
}
