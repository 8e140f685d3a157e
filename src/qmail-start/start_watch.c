/*
 * start_watch: the process that starts the services, and starts them again
 * when they die.
 *
 * It does nothing else and reads nothing from outside. When the process that
 * became qmail-send ends, it ends the services and itself; when it ends, the
 * services are told by the kernel (PR_SET_PDEATHSIG) and qmail-send by the
 * closed link.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "qmail-start/start.h"
#include "sys/clock.h"
#include "sys/home.h"
#include "sys/service.h"

#define NAME "qmail-start"
#define YOUNG_MS 2000 /* one that dies younger has a reason that will not go away at once */
#define BACKOFF_MAX_MS 30000
#define STOP_MS 20000 /* the journal gets this long to let go of the queue */
#define LEAVE_MS 1500 /* others that still finish a delivery are left to it */

struct kept {
	pid_t pid;           /* 0: not running */
	int64_t started;     /* monotonic ms */
	int64_t start_again; /* not before */
	int64_t backoff;
	int ready_fd; /* it says here that it is ready; -1: it has, or has ended */
	bool ready;   /* it has once */
};

static struct kept kept[SERVICES];
static bool all_ready; /* every service has been, once */

/* What must not end the watching process; its children begin without that. */
static void set_signals(void (*action)(int))
{
	static const int signals[] = { SIGHUP, SIGALRM, SIGINT, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2 };

	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		signal(signals[i], action);
}

/* In the child: descriptors 0 (null), 1 and 2 (log), 3 and 4 (sockets), 5 (to say that it is ready), nothing else. */
static void arrange_descriptors(const struct start *s, int i, int ready)
{
	int null = open("/dev/null", O_RDWR), log = fcntl(s->log, F_DUPFD, 20), socks[SERVICE_SOCKETS];
	int high = fcntl(ready, F_DUPFD, 20);

	for (int k = 0; k < SERVICE_SOCKETS; k++)
		socks[k] = s->sockets[i][k] == -1 ? -1 : fcntl(s->sockets[i][k], F_DUPFD, 20);
	dup2(null, 0);
	dup2(log, 1);
	dup2(log, 2);
	for (int k = 0; k < SERVICE_SOCKETS; k++) {
		if (socks[k] != -1)
			dup2(socks[k], SERVICE_FD + k);
		else
			close(SERVICE_FD + k);
	}
	dup2(high, SERVICE_READY_FD);
	close_range(SERVICE_READY_FD + 1, ~0u, 0);
}

static _Noreturn void run_service(const struct start *s, int i, int ready)
{
	const struct service_row *row = &service_rows[i];
	/* Found before descriptors change hands; the result is static memory. */
	const char *path = home_program(row->program);
	uid_t uid = row->account == ACCOUNT_COUNT ? getuid() : s->accounts.uid[row->account];
	gid_t gid = row->nofiles ? s->accounts.gid_nofiles : s->accounts.gid_qmail;
	sigset_t none;
	struct err e;

	arrange_descriptors(s, i, ready);
	set_signals(SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (s->accounts.separated && !accounts_become(uid, gid, &e)) {
		service_log(row->program, "alert: cannot start: %s", e.text);
		_exit(111);
	}
	/* After the change of user, which would reset it. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (i == SERVICE_LSPAWN)
		execl(path, row->program, s->defaultdelivery, (char *)NULL);
	else
		execl(path, row->program, (char *)NULL);
	service_log(row->program, "alert: cannot start: unable to run %s: %s", path, errno_text(errno));
	_exit(111);
}

static void start_service(const struct start *s, int i)
{
	int fds[2] = { -1, -1 };
	pid_t pid = -1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0)
		pid = fork();
	if (pid == 0)
		run_service(s, i, fds[1]);
	kept[i].started = clock_monotonic_ms();
	if (pid == -1)
		service_log(NAME, "warning: unable to start %s: %s; trying again in a second", service_rows[i].program,
			    errno_text(errno));
	if (fds[1] != -1)
		close(fds[1]);
	if (pid == -1) {
		if (fds[0] != -1)
			close(fds[0]);
		kept[i].start_again = kept[i].started + 1000;
		return;
	}
	kept[i].ready_fd = fds[0];
	kept[i].pid = pid;
}

/* A word on this descriptor, or its end. */
static void hear_ready(const struct start *s, int i)
{
	char c;

	if (kept[i].ready_fd == -1)
		return;
	if (read(kept[i].ready_fd, &c, 1) == 1)
		kept[i].ready = true;
	close(kept[i].ready_fd);
	kept[i].ready_fd = -1;
	for (int k = 0; k < SERVICES; k++)
		if (!kept[k].ready)
			return;
	if (!all_ready && write(s->link, "+", 1) == 1)
		all_ready = true;
}

static void stop_all(const struct start *s)
{
	int64_t now = clock_monotonic_ms(), limit = now + STOP_MS, leave = now + LEAVE_MS;
	int left = 0;

	/* No new work comes in: the sockets close with us. */
	for (int i = 0; i < SERVICES; i++)
		for (int k = 0; k < SERVICE_SOCKETS; k++)
			if (s->sockets[i][k] != -1)
				close(s->sockets[i][k]);
	for (int i = 0; i < SERVICES; i++)
		if (kept[i].pid) {
			kill(kept[i].pid, SIGTERM);
			left++;
		}
	/* The next instance must not start before the journal has let go of the queue. */
	while (left && (now = clock_monotonic_ms()) < limit && (kept[SERVICE_JOURNAL].pid || now < leave)) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		for (int i = 0; pid > 0 && i < SERVICES; i++)
			if (kept[i].pid == pid) {
				kept[i].pid = 0;
				left--;
			}
		if (pid == -1 && errno == ECHILD)
			break;
		if (pid <= 0)
			usleep(5000);
	}
	if (kept[SERVICE_JOURNAL].pid)
		kill(kept[SERVICE_JOURNAL].pid, SIGKILL);
}

/* A service has ended; false: the start as a whole has failed. */
static bool service_ended(int i, int status)
{
	struct kept *k = &kept[i];
	int64_t now = clock_monotonic_ms(), age = now - k->started;

	k->pid = 0;
	if (!all_ready && WIFEXITED(status)) {
		/* With these it has said why. */
		if (WEXITSTATUS(status) != 100 && WEXITSTATUS(status) != 111)
			service_log(NAME, "alert: cannot start: %s ended with exit code %d", service_rows[i].program,
				    WEXITSTATUS(status));
		return false;
	}
	if (age >= YOUNG_MS) {
		k->backoff = 0;
	} else {
		k->backoff = k->backoff ? 2 * k->backoff : 100;
		if (k->backoff > BACKOFF_MAX_MS)
			k->backoff = BACKOFF_MAX_MS;
	}
	if (WIFSIGNALED(status))
		service_log(NAME, "warning: %s was ended by signal %d; starting it again", service_rows[i].program,
			    WTERMSIG(status));
	else
		service_log(NAME, "warning: %s ended with exit code %d; starting it again", service_rows[i].program,
			    WEXITSTATUS(status));
	k->start_again = now + k->backoff;
	return true;
}

static bool reap(void)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (int i = 0; i < SERVICES; i++)
			if (kept[i].pid == pid && !service_ended(i, status))
				return false;
	return true;
}

/* Starts what is due; the time in ms until the next is, or -1. */
static int start_due(const struct start *s)
{
	int64_t now = clock_monotonic_ms(), wait = -1;

	for (int i = 0; i < SERVICES; i++) {
		if (kept[i].pid == 0 && kept[i].start_again <= now)
			start_service(s, i);
		if (kept[i].pid == 0 && (wait == -1 || kept[i].start_again - now < wait))
			wait = kept[i].start_again > now ? kept[i].start_again - now : 1;
	}
	return (int)wait;
}

_Noreturn void start_watch(struct start *s)
{
	struct pollfd fds[2 + SERVICES] = { { .fd = s->link, .events = POLLIN }, { .events = POLLIN } };
	struct signalfd_siginfo info;
	bool going = true;
	sigset_t set;

	set_signals(SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fds[1].fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	for (int i = 0; i < SERVICES; i++)
		kept[i].ready_fd = -1;
	while (going) {
		int wait = start_due(s);

		for (int i = 0; i < SERVICES; i++)
			fds[2 + i] = (struct pollfd){ .fd = kept[i].ready_fd, .events = POLLIN };
		poll(fds, 2 + SERVICES, wait);
		for (int i = 0; i < SERVICES; i++)
			if (fds[2 + i].revents)
				hear_ready(s, i);
		if (fds[0].revents)
			going = false;
		while (read(fds[1].fd, &info, sizeof info) == (ssize_t)sizeof info)
			if (info.ssi_signo == SIGTERM)
				going = false;
		if (going && !reap())
			going = false;
	}
	stop_all(s);
	_exit(0);
}
