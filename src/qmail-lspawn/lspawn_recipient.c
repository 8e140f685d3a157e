/*
 * Questions whether an address exists: connections, searches, answers.
 */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "qmail-lspawn/lspawn.h"
#include "sys/clock.h"
#include "sys/random.h"
#include "sys/service.h"
#include "sys/unixsock.h"
#include "virtual/virtualfind.h"

#define TICK_MS 250
#define EVENTS 64

/* ---- connections -------------------------------------------------------------------- */

/* Which events of a descriptor count; `index` comes back with them. */
static bool watch(struct recipients *r, int operation, int fd, size_t index, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.u64 = index };

	return epoll_ctl(r->epoll, operation, fd, &e) == 0;
}

static void disconnect(struct recipients *r, struct asker *a)
{
	/* A child may have a copy of the descriptor for a moment, which would go on causing events. */
	epoll_ctl(r->epoll, EPOLL_CTL_DEL, a->fd, NULL);
	close(a->fd);
	buf_free(&a->address);
	*a = (struct asker){ .fd = -1 };
}

static void set_accepting(struct recipients *r, bool accepting)
{
	if (r->accepting != accepting && r->listenfd != -1)
		watch(r, EPOLL_CTL_MOD, r->listenfd, ASKERS, accepting ? EPOLLIN : 0);
	r->accepting = accepting;
}

/* A free place, or that of the longest idle; NULL: all wait for answers. */
static struct asker *find_place(struct recipients *r)
{
	struct asker *idle = NULL;

	for (size_t i = 0; i < ASKERS; i++) {
		struct asker *a = &r->askers[i];

		if (a->state == ASKER_FREE)
			return a;
		if (a->state == ASKER_IDLE && (idle == NULL || a->turn < idle->turn))
			idle = a;
	}
	return idle;
}

static bool allowed(const struct lspawn *l, int fd)
{
	struct unixsock_peer peer;
	struct err e;

	if (!unixsock_peer(fd, &peer, &e))
		return false;
	if (peer.uid == 0 || peer.uid == l->uid || peer.uid == l->recipients.daemon_uid)
		return true;
	service_log("qmail-lspawn", "refused a question from uid %lu", (unsigned long)peer.uid);
	return false;
}

static void accept_all(struct lspawn *l)
{
	struct recipients *r = &l->recipients;

	for (;;) {
		struct asker *a = find_place(r);
		int fd;

		set_accepting(r, a != NULL);
		if (a == NULL || (fd = unixsock_accept(r->listenfd, UNIXSOCK_PACKET)) == -1)
			return;
		if (!allowed(l, fd)) {
			close(fd);
			continue;
		}
		if (a->state != ASKER_FREE)
			disconnect(r, a);
		if (watch(r, EPOLL_CTL_ADD, fd, (size_t)(a - r->askers), EPOLLIN))
			*a = (struct asker){ .state = ASKER_IDLE, .fd = fd, .turn = ++r->turn };
		else
			close(fd);
	}
}

/* ---- answers ------------------------------------------------------------------------ */

static const struct recipient_finding unknown = { RECIPIENT_UNKNOWN, RECIPIENT_ROOM_ANY };

static void answer(struct recipients *r, struct asker *a, struct recipient_finding found)
{
	const struct recipient_reply reply = { a->id, found };
	struct buf packet = BUF_INIT(RECIPIENT_PACKET_MAX);
	bool sent, waited = a->state == ASKER_WAITING;

	recipient_put_reply(&packet, &reply);
	/* There is room for one answer; whoever does not read it has asked again too soon. */
	sent = unixsock_send(a->fd, buf_str(&packet), -1) == 0;
	buf_free(&packet);
	buf_free(&a->address);
	a->state = ASKER_IDLE;
	a->turn = ++r->turn;
	if (!sent || (waited && !watch(r, EPOLL_CTL_MOD, a->fd, (size_t)(a - r->askers), EPOLLIN)))
		disconnect(r, a);
}

static bool answer_from_cache(struct recipients *r, struct asker *a, struct str address, int64_t now)
{
	struct recipient_finding known;

	if (!answercache_find(&r->cache, address, now, &known))
		return false;
	answer(r, a, known);
	return true;
}

/* ---- searches ----------------------------------------------------------------------- */

static struct search *search_of(struct recipients *r, struct str address)
{
	for (size_t i = 0; i < SEARCHES; i++)
		if (r->searches[i].pid && !r->searches[i].given_up && str_eq(buf_str(&r->searches[i].address), address))
			return &r->searches[i];
	return NULL;
}

static struct search *free_search(struct recipients *r)
{
	for (size_t i = 0; i < SEARCHES; i++)
		if (r->searches[i].pid == 0)
			return &r->searches[i];
	return NULL;
}

/* False: it cannot be done. */
static bool start_search(struct lspawn *l, struct search *s, struct str address, int64_t now)
{
	size_t at = str_rchr(address, '@');
	struct lspawn_job job = {
		.local = str_head(address, at),
		.host = str_from(address, at + 1),
		.virtual = virtualfind_present(),
		.owner = OWNER_INIT,
		.message = -1,
	};

	uint64_t *room = &l->recipients.rooms[s - l->recipients.searches];

	*room = RECIPIENT_ROOM_ANY;
	job.known = lspawn_look_up(l, job.local, &job.owner);
	if (job.known == OWNER_FOUND || job.known == OWNER_NONE)
		s->pid = fork();
	else
		s->pid = -1;
	if (s->pid == 0)
		lspawn_search(l, &job, room);
	owner_free(&job.owner);
	if (s->pid == -1) {
		s->pid = 0;
		return false;
	}
	s->since = now;
	s->given_up = false;
	s->address = BUF_INIT(RECIPIENT_PACKET_MAX);
	buf_add(&s->address, address);
	return true;
}

/* Answers what can be answered, and begins to search for the rest. */
static void serve_waiting(struct lspawn *l, int64_t now)
{
	struct recipients *r = &l->recipients;
	struct search *s = free_search(r);
	bool room = false;

	for (size_t i = 0; i < ASKERS; i++) {
		struct asker *a = &r->askers[i];
		struct str address = buf_str(&a->address);

		if (a->state == ASKER_WAITING && !answer_from_cache(r, a, address, now) && s &&
		    !search_of(r, address)) {
			if (!start_search(l, s, address, now))
				answer(r, a, unknown);
			s = free_search(r);
		}
		room = room || a->state != ASKER_WAITING;
	}
	set_accepting(r, room);
}

static struct search *search_by_pid(struct recipients *r, pid_t pid)
{
	for (size_t i = 0; i < SEARCHES; i++)
		if (r->searches[i].pid == pid)
			return &r->searches[i];
	return NULL;
}

bool recipients_own(const struct lspawn *l, pid_t pid)
{
	for (size_t i = 0; i < SEARCHES; i++)
		if (l->recipients.searches[i].pid == pid)
			return true;
	return false;
}

static struct recipient_finding result_of(const struct recipients *r, const struct search *s, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) - LSPAWN_SEARCH_EXIT : 0;

	if (code < RECIPIENT_EXISTS || code > RECIPIENT_ABSENT)
		return unknown;
	return (struct recipient_finding){ (enum recipient_answer)code, r->rooms[s - r->searches] };
}

bool recipients_ended(struct lspawn *l, pid_t pid, int status)
{
	struct search *s = search_by_pid(&l->recipients, pid);
	int64_t now = clock_monotonic_ms();

	if (s == NULL)
		return false;
	if (!s->given_up)
		answercache_put(&l->recipients.cache, buf_str(&s->address), result_of(&l->recipients, s, status), now);
	buf_free(&s->address);
	*s = (struct search){ .pid = 0 };
	serve_waiting(l, now);
	return true;
}

/* ---- questions ---------------------------------------------------------------------- */

/* What a delivery would say before it looks for an owner. False: nothing. */
static bool without_search(struct str address, size_t at, struct recipient_finding *f)
{
	bool absent = at == address.n || str_chr(address, 0) < address.n;

	*f = (struct recipient_finding){ absent ? RECIPIENT_ABSENT : RECIPIENT_EXISTS, RECIPIENT_ROOM_ANY };
	return absent || at == 0;
}

static bool take_question(struct recipients *r, struct asker *a, struct str packet, int64_t now)
{
	struct recipient_question q;
	struct recipient_finding found;
	bool known;
	size_t at;

	if (!recipient_get_question(packet, &q))
		return false;
	a->id = q.id;
	at = str_rchr(q.address, '@');
	known = without_search(q.address, at, &found);
	if (known)
		answer(r, a, found);
	if (known || answer_from_cache(r, a, q.address, now))
		return true;
	a->state = ASKER_WAITING;
	a->since = now;
	a->address = BUF_INIT(RECIPIENT_PACKET_MAX);
	buf_add_lower(&a->address, q.address);
	/* The next question comes after the answer. */
	return watch(r, EPOLL_CTL_MOD, a->fd, (size_t)(a - r->askers), 0);
}

static void handle_asker(struct recipients *r, struct asker *a, uint32_t events, int64_t now)
{
	struct buf packet = BUF_INIT(RECIPIENT_PACKET_MAX);
	int passfd = -1;
	ssize_t n;

	if (a->state == ASKER_WAITING && (events & (EPOLLHUP | EPOLLERR)))
		disconnect(r, a);
	if (a->state != ASKER_IDLE)
		return;
	n = unixsock_recv(a->fd, &packet, RECIPIENT_PACKET_MAX, &passfd);
	if (passfd != -1)
		close(passfd);
	if (n > 0 && !take_question(r, a, buf_str(&packet), now)) {
		service_log("qmail-lspawn", "malformed question; closing that connection");
		n = 0;
	}
	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		disconnect(r, a);
	buf_free(&packet);
}

void recipients_handle(struct lspawn *l)
{
	struct recipients *r = &l->recipients;
	struct epoll_event events[EVENTS];
	int64_t now = clock_monotonic_ms();
	int n = epoll_wait(r->epoll, events, EVENTS, 0);

	for (int i = 0; i < n; i++) {
		size_t index = (size_t)events[i].data.u64;

		if (index == ASKERS)
			accept_all(l);
		else
			handle_asker(r, &r->askers[index], events[i].events, now);
	}
	serve_waiting(l, now);
}

/* ---- time --------------------------------------------------------------------------- */

int recipients_wait(const struct lspawn *l)
{
	const struct recipients *r = &l->recipients;

	for (size_t i = 0; i < SEARCHES; i++)
		if (r->searches[i].pid)
			return TICK_MS;
	for (size_t i = 0; i < ASKERS; i++)
		if (r->askers[i].state == ASKER_WAITING)
			return TICK_MS;
	return -1;
}

void recipients_tick(struct lspawn *l, int64_t now)
{
	struct recipients *r = &l->recipients;

	for (size_t i = 0; i < SEARCHES; i++) {
		struct search *s = &r->searches[i];

		if (s->pid == 0 || s->given_up || now < s->since + SEARCH_MS)
			continue;
		/* A process that waits for a file server may not end even so; its place stays taken. */
		kill(s->pid, SIGKILL);
		s->given_up = true;
		answercache_put(&r->cache, buf_str(&s->address), unknown, now);
		serve_waiting(l, now);
	}
	for (size_t i = 0; i < ASKERS; i++)
		if (r->askers[i].state == ASKER_WAITING && now >= r->askers[i].since + SEARCH_MS)
			answer(r, &r->askers[i], unknown);
}

/* ---- begin and end ------------------------------------------------------------------ */

bool recipients_start(struct lspawn *l, int listenfd, struct err *e)
{
	struct recipients *r = &l->recipients;

	r->listenfd = listenfd;
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	r->accepting = true;
	for (size_t i = 0; i < ASKERS; i++)
		r->askers[i].fd = -1;
	for (int i = 0; i < 2; i++)
		r->cache.keys[i] = random_hash_key();
	r->rooms = mmap(NULL, SEARCHES * sizeof *r->rooms, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r->rooms == MAP_FAILED)
		return err_sys(e, errno, "unable to share memory");
	if (r->epoll == -1 || !watch(r, EPOLL_CTL_ADD, listenfd, ASKERS, EPOLLIN))
		return err_sys(e, errno, "unable to wait for questions");
	return true;
}

void recipients_stop(struct lspawn *l)
{
	struct recipients *r = &l->recipients;

	if (r->listenfd == -1)
		return;
	for (size_t i = 0; i < ASKERS; i++)
		if (r->askers[i].state != ASKER_FREE)
			disconnect(r, &r->askers[i]);
	for (size_t i = 0; i < SEARCHES; i++)
		if (r->searches[i].pid)
			kill(r->searches[i].pid, SIGKILL);
	close(r->listenfd);
	close(r->epoll);
	r->listenfd = r->epoll = -1;
}
