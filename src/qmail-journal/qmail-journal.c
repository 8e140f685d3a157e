/*
 * qmail-journal: the queue's only writer and reader.
 *
 * One loop: take what clients and the scheduler have sent, write all of it at
 * once, sync once for all messages in it, answer. While a sync runs, the next
 * batch gathers in the sockets by itself.
 *
 * New messages are taken from the start, before all of the queue has been read;
 * the scheduler and operators are answered when it has.
 *
 * Rights: its own user (qmailq), the queue directory, two listening sockets.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "qmail-journal/journal_server.h"
#include "sandbox/sandbox.h"
#include "sys/file.h"
#include "sys/home.h"
#include "sys/io.h"
#include "sys/service.h"

#define NAME "qmail-journal"
#define QUEUE_SOCKET_FD 4
#define LOCK_SECONDS 5
#define RECOVER_BYTES (1u << 20) /* read at a time, with clients' turns in between */

static const struct sandbox_rights rights = {
	.name = NAME,
	.may = SANDBOX_ACCEPT | SANDBOX_THREADS,
	.memory = 8 * SANDBOX_GIB,
	.paths = { { "queue", SANDBOX_WRITE } },
};

static void warn(void *ctx, const char *text)
{
	(void)ctx;
	service_log(NAME, "warning: %s", text);
}

static void on_client_listener(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	client_accept(arg);
}

static void on_listen_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	client_listen_again(arg);
}

static void on_manager_listener(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	manager_accept(arg);
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
	struct server *sv = arg;

	(void)fd;
	(void)what;
	sv->stopping = true;
}

/*
 * The timers only say what is due. A commit within the turn would also write the messages of clients that were
 * read in it, and end_of_turn would not know that they wait for an answer.
 */
static void on_sync_timer(evutil_socket_t fd, short what, void *arg)
{
	struct server *sv = arg;

	(void)fd;
	(void)what;
	sv->sync_due = true;
}

static void on_maintain_timer(evutil_socket_t fd, short what, void *arg)
{
	struct server *sv = arg;

	(void)fd;
	(void)what;
	sv->maintenance_due = true;
}

bool server_commit(struct server *sv, bool sync, struct err *e)
{
	struct timeval second = { 1, 0 };
	bool ok = true;

	if (journal_dirty(sv->journal))
		ok = journal_commit(sv->journal, sync, e);
	if (!ok)
		service_log(NAME, "alert: %s", e->text);
	if (sv->waiting)
		client_answer_waiting(sv, ok, e);
	if (journal_dirty(sv->journal) && !event_pending(sv->sync_timer, EV_TIMEOUT, NULL))
		event_add(sv->sync_timer, &second);
	return ok;
}

/* Everything that was sent in this turn of the loop is written and answered at once. */
static void commit(struct server *sv)
{
	bool sync = sv->sync_due, ok;
	struct err e = { 0 };

	sv->sync_due = false;
	ok = server_commit(sv, sync, &e);
	if (sync)
		orders_answer(sv, ok, &e);
}

static void end_of_turn(struct server *sv)
{
	struct timeval soon = { 0, 2000 }, later = { 0, 250000 };

	commit(sv);
	if (!sv->maintenance_due)
		return;
	sv->maintenance_due = false;
	event_add(sv->maintain_timer, journal_maintain(sv->journal) ? &soon : &later);
}

/* The queue directory must be ours alone: whoever can write there can forge mail. */
static bool open_queue(struct server *sv, int *queue, struct err *e)
{
	struct stat st;

	(void)sv;
	*queue = file_open_dir(home_dir(), "queue");
	if (*queue == -1)
		return err_sys(e, errno, "unable to open %s/queue", home_path());
	if (fstat(*queue, &st) == -1)
		return err_sys(e, errno, "unable to look at %s/queue", home_path());
	if (st.st_uid != geteuid())
		return err_perm(e, "%s/queue belongs to uid %lu, but I run as uid %lu; chown it", home_path(),
				(unsigned long)st.st_uid, (unsigned long)geteuid());
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return err_perm(e, "%s/queue can be written by others; chmod it to 750", home_path());
	return true;
}

/* One journal for one queue; the lock goes with the process. */
static bool lock_queue(int queue, struct err *e)
{
	int fd;

	if (file_make_dir(queue, "lock", 0750) == -1 && errno != EEXIST)
		return err_sys(e, errno, "unable to make %s/queue/lock", home_path());
	fd = file_open(queue, "lock/sendmutex", O_RDWR | O_CREAT, 0600);
	if (fd == -1)
		return err_sys(e, errno, "unable to open %s/queue/lock/sendmutex", home_path());
	/* One that takes a message while the system is down (--serve) is gone in a moment. */
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) == -1; i++) {
		if (i == LOCK_SECONDS * 20)
			return err_temp(e, "%s/queue is in use by another qmail-journal; stop it first", home_path());
		usleep(50000);
	}
	return true;
}

static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static bool start(struct server *sv, struct err *e)
{
	struct journal_options o = { .warn = warn, .part = RECOVER_BYTES };
	int queue;

	mem_large_apart();
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	raise_descriptor_limit();
	fill_options(&o);
	return accounts_load_names(&sv->accounts, e) &&
	       service_start("journal", UNIXSOCK_STREAM, 0666, &sv->client_listener, e) &&
	       service_listen_also(QUEUE_SOCKET_FD, "queue", UNIXSOCK_PACKET, 0600, &sv->manager_listener, e) &&
	       open_queue(sv, &queue, e) && lock_queue(queue, e) && sandbox_enter(&rights, e) &&
	       journal_open(queue, &o, &sv->journal, e) && bodies_start(sv, e) && fill_start(e);
}

static void all_is_read(struct server *sv)
{
	struct timeval later = { 0, 250000 };

	sv->reading = false;
	event_add(sv->managing, NULL);
	event_add(sv->maintain_timer, &later);
}

static void run(struct server *sv)
{
	struct event *term = evsignal_new(sv->loop, SIGTERM, on_stop, sv);
	struct event *intr = evsignal_new(sv->loop, SIGINT, on_stop, sv);

	sv->reading = true;
	sv->sync_timer = evtimer_new(sv->loop, on_sync_timer, sv);
	sv->maintain_timer = evtimer_new(sv->loop, on_maintain_timer, sv);
	sv->listening = event_new(sv->loop, sv->client_listener, EV_READ | EV_PERSIST, on_client_listener, sv);
	sv->listen_again = evtimer_new(sv->loop, on_listen_again, sv);
	sv->managing = event_new(sv->loop, sv->manager_listener, EV_READ | EV_PERSIST, on_manager_listener, sv);
	event_add(sv->listening, NULL);
	event_add(term, NULL);
	event_add(intr, NULL);
	service_ready();
	while (!sv->stopping) {
		event_base_loop(sv->loop, sv->reading ? EVLOOP_NONBLOCK : EVLOOP_ONCE);
		end_of_turn(sv);
		if (sv->reading && !journal_recover_part(sv->journal))
			all_is_read(sv);
	}
	event_free(sv->managing);
	event_free(term);
	event_free(intr);
	event_free(sv->listening);
	event_free(sv->listen_again);
	event_free(sv->sync_timer);
	event_free(sv->maintain_timer);
	journal_close(sv->journal);
}

/* A stream is a client, a packet socket an operator's tool. */
static bool is_client(int fd)
{
	int type = 0;
	socklen_t n = sizeof type;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == -1 || type != SOCK_SEQPACKET;
}

static bool serve_caller(struct server *sv, int fd, struct err *e)
{
	struct unixsock_peer peer;

	sv->alone = true;
	if (is_client(fd))
		return client_add(sv, fd, e);
	if (!unixsock_peer(fd, &peer, e))
		return false;
	manager_add(sv, fd, peer.uid);
	return true;
}

/*
 * For a caller who owns the queue (or is root) while the mail system is down:
 * its connection is descriptor 3, and we live as long as it does. What it
 * submits is found at the next start.
 */
static bool start_serving(struct server *sv, struct err *e)
{
	struct journal_options o = { .warn = warn };
	int queue, fd = fcntl(SERVICE_FD, F_DUPFD_CLOEXEC, 10);

	umask(077);
	signal(SIGPIPE, SIG_IGN);
	if (fd == -1)
		return err_sys(e, errno, "there is no connection on descriptor %d", SERVICE_FD);
	close(SERVICE_FD);
	io_set_nonblocking(fd, true);
	/* What a client submits does not depend on what is there: the rest is left to the next start. */
	o.part = is_client(fd) ? RECOVER_BYTES : 0;
	if (!home_enter(e) || !accounts_load(&sv->accounts, e))
		return false;
	if (sv->accounts.separated && !accounts_become(sv->accounts.uid[ACCOUNT_QUEUE], sv->accounts.gid_qmail, e))
		return false;
	return open_queue(sv, &queue, e) && lock_queue(queue, e) && sandbox_enter(&rights, e) &&
	       journal_open(queue, &o, &sv->journal, e) && bodies_start(sv, e) && serve_caller(sv, fd, e);
}

static void serve(struct server *sv)
{
	sv->sync_timer = evtimer_new(sv->loop, on_sync_timer, sv);
	while (sv->nclients || sv->managers) {
		event_base_loop(sv->loop, EVLOOP_ONCE);
		commit(sv);
	}
	journal_close(sv->journal);
}

int main(int argc, char **argv)
{
	struct server sv = { .client_listener = -1, .manager_listener = -1 };
	struct err e;

	if (argc >= 2 && strcmp(argv[1], "--check") == 0)
		return journal_check(argv[2]);
	if (argc == 2 && strcmp(argv[1], "--serve") == 0) {
		sv.loop = event_base_new();
		if (!start_serving(&sv, &e))
			return 111;
		serve(&sv);
		return 0;
	}
	if (argc != 1) {
		fprintf(stderr, "usage: qmail-journal | qmail-journal --check [QUEUEDIR]\n");
		return 100;
	}
	sv.loop = event_base_new();
	if (!start(&sv, &e)) {
		service_log(NAME, "alert: cannot start: %s", e.text);
		return 111;
	}
	run(&sv);
	return 0;
}
