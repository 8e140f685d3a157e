#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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

static void status(const struct tcpservice *t, unsigned children)
{
	service_say(t, "status: %u/%u", children, t->limit);
}

static void reap(const struct tcpservice *t, unsigned *children)
{
	int wait_status;
	pid_t pid;

	got_child = 0;
	while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0) {
		service_say(t, "end %ld status %d", (long)pid, wait_status);
		if (*children)
			--*children;
		status(t, *children);
	}
}

/* A changed rules file counts for the next connection. */
static void refresh_rules(struct tcpservice *t)
{
	if (t->rules_path == NULL)
		return;
	if (t->rules.path)
		t->rules_ok = cdbfile_refresh(&t->rules, &t->rules_error);
	else
		t->rules_ok = cdbfile_open(&t->rules, AT_FDCWD, t->rules_path, &t->rules_error);
}

static void start_child(struct tcpservice *t, int fd, const struct inetaddr *peer, const sigset_t *outside,
			unsigned *children)
{
	pid_t pid;

	++*children;
	status(t, *children);
	refresh_rules(t);
	pid = fork();
	if (pid == 0) {
		close(t->fd);
		child_signals(outside);
		service_child(t, fd, peer);
	}
	if (pid > 0)
		return;
	service_drop(t, "unable to fork: %s", errno_text(errno));
	--*children;
	status(t, *children);
}

/* False: there are too few means to accept anything now. */
static bool accept_one(struct tcpservice *t, const sigset_t *outside, unsigned *children)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof ss;
	struct inetaddr peer;
	int fd = accept4(t->fd, (struct sockaddr *)&ss, &n, SOCK_CLOEXEC);

	if (fd == -1)
		return errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM;
	if (inetaddr_from((const struct sockaddr *)&ss, &peer))
		start_child(t, fd, &peer, outside, children);
	close(fd);
	return true;
}

_Noreturn void service_loop(struct tcpservice *t)
{
	unsigned children = 0;
	sigset_t outside;
	bool pause = false;

	take_signals(&outside);
	status(t, 0);
	for (;;) {
		struct pollfd p = { .fd = children < t->limit && !pause ? t->fd : -1, .events = POLLIN };
		struct timespec ts = { .tv_nsec = PAUSE_MS * 1000000L };
		int r = ppoll(&p, 1, pause ? &ts : NULL, &outside);

		pause = false;
		if (got_child)
			reap(t, &children);
		if (r > 0 && p.revents)
			pause = !accept_one(t, &outside, &children);
	}
}
