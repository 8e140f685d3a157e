/*
 * quill_up: everything in the foreground: qmail-start and qmail-smtpd with
 * its own listener; all their log lines on standard output.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "conf/control.h"
#include "quill/quill.h"
#include "sys/clock.h"
#include "sys/home.h"
#include "sys/io.h"

#define STOP_MS 30000
#define LINES_MAX (1u << 20)

struct up {
	struct buf defaultdelivery;
	int log[2]; /* what the others write comes out of log[0] */
	int signals;
	pid_t start, smtpd;               /* 0: not running */
	int64_t start_again, smtpd_again; /* monotonic ms */
	struct buf line;
	bool send_ready, smtpd_ready, announced;
	bool stopping;
	int code;
};

static pid_t run(struct up *u, const char *program, const char *argument)
{
	const char *path = home_program(program);
	pid_t pid = fork();
	sigset_t none;

	if (pid != 0)
		return pid;
	/* A group of its own: the terminal's ^C reaches only us, and we end the others in order. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(u->log[1], 1);
	dup2(u->log[1], 2);
	execl(path, program, argument, (char *)NULL);
	fprintf(stderr, "quill: unable to run %s: %s\n", path, errno_text(errno));
	_exit(111);
}

/* Lines tell when a part is ready; they go out as they are. */
static void look_at_line(struct up *u, struct str line)
{
	/* With control/logformat json-only it is an object. */
	if (str_starts(line, STR("status: local ")) || str_find(line, STR("\"event\":\"status\"")) < line.n)
		u->send_ready = true;
	if (str_starts(line, STR("qmail-smtpd: listening on ")))
		u->smtpd_ready = true;
}

static void copy_log(struct up *u)
{
	struct str rest, line;
	size_t whole;
	ssize_t n;

	n = io_read(u->log[0], buf_room(&u->line, 65536), 65536);
	if (n <= 0)
		return;
	io_write_all(1, u->line.p + u->line.n, (size_t)n);
	if (u->announced)
		return;
	buf_wrote(&u->line, (size_t)n);
	whole = str_rchr(buf_str(&u->line), '\n');
	if (whole == u->line.n)
		return;
	rest = str_head(buf_str(&u->line), whole + 1);
	while (str_next_line(&rest, &line))
		look_at_line(u, line);
	buf_consume(&u->line, whole + 1);
}

static void announce(struct up *u)
{
	if (u->send_ready && u->smtpd == 0 && !u->smtpd_ready && u->smtpd_again == 0) {
		u->smtpd = run(u, "qmail-smtpd", "-d");
		u->smtpd_again = clock_monotonic_ms() + 1000;
	}
	if (u->announced || !u->smtpd_ready)
		return;
	u->announced = true;
	buf_free(&u->line);
	io_write_all(1, "quill: ready\n", 13);
}

static void stop(struct up *u)
{
	u->stopping = true;
	/* No new mail first, then the rest. */
	if (u->smtpd > 0)
		kill(u->smtpd, SIGTERM);
	if (u->start > 0)
		kill(u->start, SIGTERM);
}

static void child_ended(struct up *u, pid_t pid, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 111;

	if (pid == u->start) {
		u->start = 0;
		if (!u->stopping && !u->announced) {
			/* It said why. */
			u->code = code ? code : 111;
			stop(u);
		} else if (!u->stopping) {
			fprintf(stderr, "quill: qmail-send has ended; starting it again\n");
		}
	} else if (pid == u->smtpd) {
		u->smtpd = 0;
		if (!u->stopping && !u->smtpd_ready) {
			/* It said why. */
			u->code = code ? code : 111;
			stop(u);
		} else if (!u->stopping) {
			fprintf(stderr, "quill: qmail-smtpd has ended; starting it again\n");
		}
	}
}

static void take_signals(struct up *u)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(u->signals, &info, sizeof info) == (ssize_t)sizeof info) {
		int sig = (int)info.ssi_signo;

		if (sig == SIGTERM || sig == SIGINT)
			stop(u);
		if ((sig == SIGHUP || sig == SIGALRM) && u->start > 0)
			kill(u->start, sig);
		if (sig == SIGHUP && u->smtpd > 0)
			kill(u->smtpd, sig);
	}
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		child_ended(u, pid, status);
}

/* What ended by itself after a good start is started again, once a second at most. */
static void restart(struct up *u)
{
	int64_t now = clock_monotonic_ms();

	if (u->stopping || !u->announced)
		return;
	if (u->start == 0 && now >= u->start_again) {
		u->start = run(u, "qmail-start", buf_cstr(&u->defaultdelivery));
		u->start_again = now + 1000;
	}
	if (u->smtpd == 0 && now >= u->smtpd_again) {
		u->smtpd = run(u, "qmail-smtpd", "-d");
		u->smtpd_again = now + 1000;
	}
}

static int loop(struct up *u)
{
	struct pollfd fds[2] = { { .fd = u->signals, .events = POLLIN }, { .fd = u->log[0], .events = POLLIN } };
	int64_t limit = 0;

	while (u->start > 0 || u->smtpd > 0 || !u->stopping) {
		poll(fds, 2, 250);
		if (fds[1].revents)
			copy_log(u);
		take_signals(u);
		announce(u);
		restart(u);
		if (u->stopping && limit == 0)
			limit = clock_monotonic_ms() + STOP_MS;
		if (u->stopping && clock_monotonic_ms() > limit) {
			if (u->smtpd > 0)
				kill(u->smtpd, SIGKILL);
			if (u->start > 0)
				kill(u->start, SIGKILL);
		}
	}
	/* The services end a moment after qmail-send; their last words belong to the log, too. */
	close(u->log[1]);
	io_set_nonblocking(u->log[0], false);
	for (int i = 0; i < 100; i++) {
		struct pollfd last = { .fd = u->log[0], .events = POLLIN };

		if (poll(&last, 1, 10000) <= 0 || !(last.revents & POLLIN))
			break;
		copy_log(u);
	}
	/* As their subreaper we see the last of them go. */
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	return u->code;
}

/* The whole file: several lines are allowed. */
static bool read_defaultdelivery(struct buf *b, struct err *e)
{
	int fd = open("control/defaultdelivery", O_RDONLY | O_CLOEXEC), saved;
	bool ok;

	if (fd == -1 && errno == ENOENT) {
		buf_addz(b, "./Maildir/");
		return true;
	}
	if (fd == -1)
		return err_sys(e, errno, "unable to read %s/control/defaultdelivery", home_path());
	ok = io_read_rest(fd, b);
	saved = errno;
	close(fd);
	return ok || err_sys(e, saved, "unable to read %s/control/defaultdelivery", home_path());
}

static int start_and_watch(struct up *u)
{
	static const int caught[] = { SIGTERM, SIGINT, SIGHUP, SIGALRM, SIGCHLD };
	struct err e;
	sigset_t set;

	if (!quill_controls_readable(&e) || !read_defaultdelivery(&u->defaultdelivery, &e))
		return quill_fail(err_exit_code(&e), "%s", e.text);
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof caught / sizeof *caught; i++)
		sigaddset(&set, caught[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	u->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (u->signals == -1 || io_pipe(u->log) == -1 || io_set_nonblocking(u->log[0], true) == -1) {
		err_sys(&e, errno, "unable to make a pipe");
		return quill_fail(111, "%s", e.text);
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	u->start = run(u, "qmail-start", buf_cstr(&u->defaultdelivery));
	if (u->start == -1)
		return quill_fail(111, "unable to fork: %s", errno_text(errno));
	return loop(u);
}

int quill_up(int argc, char **argv)
{
	struct up u = { .defaultdelivery = BUF_INIT(65536), .line = BUF_INIT(LINES_MAX) };
	int code = quill_choose_home(argc, argv) ? start_and_watch(&u) : 111;

	buf_free(&u.defaultdelivery);
	buf_free(&u.line);
	return code;
}
