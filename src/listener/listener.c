#include "listener/listener.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "sys/clock.h"

/* Connections taken from one socket before the others and the signals get their turn. */
#define ACCEPT_BATCH 16
/* How long to wait when the system has no descriptor or process for another connection. */
#define PAUSE_MS 100

/* How often idle children are looked at. */
#define SWEEP_MS 250

struct listener_child {
	pid_t pid;
	struct inetaddr peer;
	unsigned settings;
};

static volatile sig_atomic_t got_child, got_stop, got_reload;

static void on_signal(int sig)
{
	if (sig == SIGCHLD)
		got_child = 1;
	else if (sig == SIGHUP)
		got_reload = 1;
	else
		got_stop = 1;
}

static const int signals[] = { SIGCHLD, SIGHUP, SIGTERM, SIGINT };

/* Signals arrive only within ppoll, so that no flag is missed between looking and waiting. */
static void take_signals(sigset_t *outside)
{
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t block;

	sigemptyset(&block);
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
		sigaction(signals[i], &sa, NULL);
		sigaddset(&block, signals[i]);
	}
	sigprocmask(SIG_BLOCK, &block, outside);
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		sigdelset(outside, signals[i]);
	signal(SIGPIPE, SIG_IGN);
}

static void child_signals(const sigset_t *outside)
{
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		/* A reload is the parent's business and must not end sessions. */
		signal(signals[i], signals[i] == SIGHUP ? SIG_IGN : SIG_DFL);
	sigprocmask(SIG_SETMASK, outside, NULL);
}

void listener_close(struct listener *l)
{
	for (size_t i = 0; i < l->nfds; i++)
		close(l->fds[i]);
	idle_close(&l->idle);
	free(l->children);
	*l = LISTENER_INIT;
}

/* ---- children ---- */

static bool forget(struct listener *l, pid_t pid, struct listener_child *was)
{
	for (size_t i = 0; i < l->nchildren; i++)
		if (l->children[i].pid == pid) {
			*was = l->children[i];
			l->children[i] = l->children[--l->nchildren];
			return true;
		}
	return false;
}

static void reap(struct listener *l)
{
	struct listener_child was;
	pid_t pid;

	got_child = 0;
	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		if (!forget(l, pid, &was))
			idle_ended(&l->idle, pid);
}

/* Children that have ended a session well wait; those with old settings are let go. */
static void hear_idle(struct listener *l)
{
	struct listener_child was;
	int channel;

	for (pid_t pid; (pid = idle_hear(&l->idle, &channel)) != 0;) {
		if (forget(l, pid, &was) && was.settings == l->settings)
			idle_add(&l->idle, pid, &was.peer, channel);
		else
			close(channel);
	}
}

static size_t count_client(const struct listener *l, uint64_t client)
{
	size_t n = 0;

	for (size_t i = 0; i < l->nchildren; i++)
		n += inetaddr_client(&l->children[i].peer) == client;
	return n;
}

/* The text that refuses this client, or NULL. */
static const char *refusal(struct listener *l, const struct inetaddr *peer)
{
	const struct listener_config *c = &l->config;

	if (l->nchildren >= c->max_children) {
		hear_idle(l);
		reap(l);
	}
	if (l->nchildren >= c->max_children)
		return c->busy;
	if (c->max_per_client == 0 || inetaddr_loopback(peer))
		return NULL;
	return count_client(l, inetaddr_client(peer)) >= c->max_per_client ? c->busy_client : NULL;
}

/* At most one such line a second: a flood of connections must not become a flood of log lines. */
static void complain(struct listener *l, const char *what)
{
	int64_t now = clock_monotonic_ms();

	if (l->complained && now - l->complained < 1000)
		return;
	l->complained = now;
	l->config.log(l->config.ctx, what);
}

static void turn_away(struct listener *l, int fd, const struct inetaddr *peer, const char *text)
{
	char ip[INETADDR_TEXT];
	struct buf line = BUF_INIT(500);

	send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
	inetaddr_text(peer, ip);
	buf_addf(&line, "turned away [%s]: %.*s", ip, (int)strcspn(text, "\r\n"), text);
	complain(l, buf_cstr(&line));
	buf_free(&line);
}

static _Noreturn void run_child(struct listener *l, int fd, const struct inetaddr *peer, const sigset_t *outside)
{
	struct inetaddr client = *peer;
	int code;

	for (size_t i = 0; i < l->nfds; i++)
		close(l->fds[i]);
	idle_become_child(&l->idle);
	child_signals(outside);
	do {
		code = l->config.serve(l->config.ctx, fd, &client);
		close(fd);
	} while (code == 0 && idle_wait(&l->idle, &fd, &client));
	_exit(code);
}

/* A child for this connection: one that waits for it, or a new one. False: the system has no process to spare. */
static bool start_child(struct listener *l, int fd, const struct inetaddr *peer, const sigset_t *outside)
{
	pid_t pid = idle_give(&l->idle, fd, peer);

	l->from_client = count_client(l, inetaddr_client(peer)) + 1;
	if (pid == 0)
		pid = fork();
	if (pid == 0)
		run_child(l, fd, peer, outside);
	if (pid == -1) {
		complain(l, "unable to fork; pausing");
		turn_away(l, fd, peer, l->config.busy);
		return false;
	}
	l->children[l->nchildren++] = (struct listener_child){ pid, *peer, l->settings };
	return true;
}

/* ---- the loop ---- */

static bool shortage(int errnum)
{
	return errnum == EMFILE || errnum == ENFILE || errnum == ENOBUFS || errnum == ENOMEM;
}

/* One connection; false when there is none, or no means to take one (*pause). */
static bool accept_one(struct listener *l, int listenfd, const sigset_t *outside, bool *pause)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	struct inetaddr peer;
	const char *text;
	int fd = accept4(listenfd, (void *)&ss, &len, SOCK_CLOEXEC);

	if (fd == -1) {
		*pause = shortage(errno);
		if (*pause && l->idle.n) {
			/* They may have what is missing. */
			idle_expire(&l->idle, INT64_MAX);
			return false;
		}
		if (*pause)
			complain(l, "unable to accept connections: too few descriptors or too little memory; pausing");
		return errno == EINTR || errno == ECONNABORTED;
	}
	if (inetaddr_from((const void *)&ss, &peer)) {
		text = refusal(l, &peer);
		if (text)
			turn_away(l, fd, &peer, text);
		else
			*pause = !start_child(l, fd, &peer, outside);
	}
	close(fd);
	return !*pause;
}

static void accept_some(struct listener *l, const struct pollfd *ready, const sigset_t *outside, bool *pause)
{
	int64_t now = clock_monotonic_ms();

	if (l->config.refresh && now - l->refreshed >= 1000) {
		l->refreshed = now;
		l->config.refresh(l->config.ctx);
	}
	for (size_t i = 0; i < l->nfds && !*pause; i++) {
		if (!(ready[i].revents & POLLIN))
			continue;
		for (int n = 0; n < ACCEPT_BATCH && accept_one(l, l->fds[i], outside, pause); n++)
			;
	}
}

/* Waits for connections (ready tells for which sockets), idle children, signals and the time. */
static void wait_for_events(struct listener *l, struct pollfd *ready, const sigset_t *outside, int timeout_ms)
{
	/* While pausing, no connections. */
	size_t n = timeout_ms >= 0 ? 0 : l->nfds;
	struct timespec ts;

	if (timeout_ms < 0 && l->idle.n)
		timeout_ms = SWEEP_MS;
	ts = (struct timespec){ timeout_ms / 1000, timeout_ms % 1000 * 1000000L };
	for (size_t i = 0; i < l->nfds; i++)
		ready[i] = (struct pollfd){ .fd = i < n ? l->fds[i] : -1, .events = POLLIN };
	ready[l->nfds] = (struct pollfd){ .fd = l->idle.parent, .events = POLLIN };
	if (ppoll(ready, l->nfds + 1, timeout_ms >= 0 ? &ts : NULL, outside) <= 0)
		for (size_t i = 0; i <= l->nfds; i++)
			ready[i].revents = 0;
	if (ready[l->nfds].revents)
		hear_idle(l);
	if (l->idle.n)
		idle_expire(&l->idle, clock_monotonic_ms() - l->config.keep_ms);
}

static void set_timeouts(const struct listener *l)
{
	struct timeval tv = { .tv_sec = l->config.io_timeout };

	/* Inherited by accepted connections, like TCP_NODELAY. */
	for (size_t i = 0; i < l->nfds; i++) {
		setsockopt(l->fds[i], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
		setsockopt(l->fds[i], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
	}
}

static void stop(struct listener *l, const sigset_t *outside)
{
	int64_t deadline = clock_monotonic_ms() + 1000 * (int64_t)l->config.grace;
	struct pollfd none[1];
	bool told = false;

	for (size_t i = 0; i < l->nfds; i++)
		close(l->fds[i]);
	l->nfds = 0;
	idle_close(&l->idle);
	reap(l);
	while (l->nchildren) {
		int64_t left = deadline - clock_monotonic_ms();

		if (left <= 0) {
			for (size_t i = 0; i < l->nchildren; i++)
				kill(l->children[i].pid, told ? SIGKILL : SIGTERM);
			deadline = clock_monotonic_ms() + 2000;
			told = true;
			continue;
		}
		wait_for_events(l, none, outside, left > 1000 ? 1000 : (int)left);
		reap(l);
	}
}

static void reload(struct listener *l)
{
	got_reload = 0;
	if (l->config.reload)
		l->config.reload(l->config.ctx);
	set_timeouts(l);
}

bool listener_run(struct listener *l, const struct listener_config *config, struct err *e)
{
	struct pollfd fds[LISTENER_SOCKETS_MAX + 1];
	sigset_t outside;

	if (l->nfds == 0)
		return err_perm(e, "no address to listen on");
	l->config = *config;
	if (l->config.max_children == 0)
		l->config.max_children = 1;
	l->children = mem_array(l->children, l->config.max_children, sizeof *l->children);
	if (l->config.keep_ms)
		idle_open(&l->idle);
	set_timeouts(l);
	take_signals(&outside);
	for (bool pause = false; !got_stop;) {
		wait_for_events(l, fds, &outside, pause ? PAUSE_MS : -1);
		pause = false;
		if (got_child)
			reap(l);
		if (got_reload)
			reload(l);
		accept_some(l, fds, &outside, &pause);
	}
	stop(l, &outside);
	return true;
}

void listener_new_settings(struct listener *l)
{
	l->settings++;
	idle_expire(&l->idle, INT64_MAX);
}
