#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "tcpservice/tcpservice.h"

/* How long to wait when the system has no descriptor or memory for another connection. */
#define PAUSE_MS 100

static volatile sig_atomic_t got_child;

static void on_child(int sig)
{
	(void)sig;
	got_child = 1;
}

static void on_stop(int sig)
{
	(void)sig;
	_exit(0);
}

/* SIGCHLD arrives only while waiting; *outside is the mask to wait with, and the children's. */
static void take_signals(sigset_t *outside)
{
	struct sigaction child = { .sa_handler = on_child }, stop = { .sa_handler = on_stop };
	sigset_t block;

	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, outside);
	sigdelset(outside, SIGCHLD);
	sigaction(SIGCHLD, &child, NULL);
	sigaction(SIGTERM, &stop, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void child_signals(const sigset_t *outside)
{
	signal(SIGCHLD, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, outside, NULL);
}

struct child {
	pid_t pid;
	uint64_t client, network;
};

/* The running ones. `n` also counts down for children that whoever became us had before. */
struct children {
	unsigned n;
	struct child *list; /* owned */
	size_t listed, room;
};

static void status(const struct tcpservice *t, const struct children *all)
{
	service_say(t, "status: %u/%u", all->n, t->limit);
}

static void enlist(struct children *all, const struct child *c)
{
	if (all->listed == all->room) {
		all->room = all->room ? 2 * all->room : 64;
		all->list = mem_array(all->list, all->room, sizeof *all->list);
	}
	all->list[all->listed++] = *c;
}

static void strike(struct children *all, pid_t pid)
{
	for (size_t i = 0; i < all->listed; i++)
		if (all->list[i].pid == pid) {
			all->list[i] = all->list[--all->listed];
			return;
		}
}

/* The connections of this client and its network, its own included. */
static void count(const struct children *all, const struct child *c, struct connlimit *limit)
{
	limit->from_client = limit->from_network = 1;
	for (size_t i = 0; i < all->listed; i++) {
		limit->from_client += all->list[i].client == c->client;
		limit->from_network += all->list[i].network == c->network;
	}
}

static void reap(const struct tcpservice *t, struct children *all)
{
	int wait_status;
	pid_t pid;

	got_child = 0;
	while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0) {
		service_say(t, "end %ld status %d", (long)pid, wait_status);
		strike(all, pid);
		if (all->n)
			all->n--;
		status(t, all);
	}
}

static void start_child(struct tcpservice *t, int fd, const struct inetaddr *peer, const sigset_t *outside,
			struct children *all)
{
	struct child c = { .client = inetaddr_client(peer), .network = connlimit_network(peer) };

	all->n++;
	status(t, all);
	/* A changed rules file counts for the next connection. */
	accessrules_refresh(&t->rules);
	count(all, &c, &t->connections);
	c.pid = fork();
	if (c.pid == 0) {
		close(t->fd);
		child_signals(outside);
		service_child(t, fd, peer);
	}
	if (c.pid > 0) {
		enlist(all, &c);
		return;
	}
	service_drop(t, "unable to fork: %s", errno_text(errno));
	all->n--;
	status(t, all);
}

/* False: there are too few means to accept anything now. */
static bool accept_one(struct tcpservice *t, const sigset_t *outside, struct children *all)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof ss;
	struct inetaddr peer;
	int fd = accept4(t->fd, (struct sockaddr *)&ss, &n, SOCK_CLOEXEC);

	if (fd == -1)
		return errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM;
	if (inetaddr_from((const struct sockaddr *)&ss, &peer))
		start_child(t, fd, &peer, outside, all);
	close(fd);
	return true;
}

_Noreturn void service_loop(struct tcpservice *t)
{
	struct children all = { 0 };
	sigset_t outside;
	bool pause = false;

	take_signals(&outside);
	status(t, &all);
	for (;;) {
		struct pollfd p = { .fd = all.n < t->limit && !pause ? t->fd : -1, .events = POLLIN };
		struct timespec ts = { .tv_nsec = PAUSE_MS * 1000000L };
		int r = ppoll(&p, 1, pause ? &ts : NULL, &outside);

		pause = false;
		if (got_child)
			reap(t, &all);
		if (r > 0 && p.revents)
			pause = !accept_one(t, &outside, &all);
	}
}
