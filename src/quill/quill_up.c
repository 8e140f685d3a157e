/*
 * quill_up: everything in the foreground: qmail-start, and qmail-smtpd and,
 * where control/pop3listen exists, qmail-popup with their own listeners; all
 * their log lines on standard output.
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

/* The first is the mail system; the others take connections from outside. */
enum { START, SMTPD, POPUP, PARTS };

struct part {
	bool wanted;
	pid_t pid;     /* 0: not running */
	int64_t again; /* monotonic ms: when it may be started again; 0: it was never started */
	bool ready;
};

static const struct {
	const char *program;
	const char *ready; /* how the line begins that says so */
} part_rows[PARTS] = {
	[START] = { "qmail-start", "status: local " },
	[SMTPD] = { "qmail-smtpd", "qmail-smtpd: listening on " },
	[POPUP] = { "qmail-popup", "qmail-popup: listening on " },
};

struct up {
	struct buf defaultdelivery;
	int log[2]; /* what the others write comes out of log[0] */
	int signals;
	struct part parts[PARTS];
	struct buf line;
	bool announced;
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

static void start(struct up *u, int i)
{
	u->parts[i].pid = run(u, part_rows[i].program, i == START ? buf_cstr(&u->defaultdelivery) : "-d");
	u->parts[i].again = clock_monotonic_ms() + 1000;
}

static void signal_listeners(const struct up *u, int sig)
{
	for (int i = START + 1; i < PARTS; i++)
		if (u->parts[i].pid > 0)
			kill(u->parts[i].pid, sig);
}

/* Lines tell when a part is ready; they go out as they are. */
static void look_at_line(struct up *u, struct str line)
{
	for (int i = 0; i < PARTS; i++)
		if (str_starts(line, str_of(part_rows[i].ready)))
			u->parts[i].ready = true;
	/* With control/logformat json-only it is an object. */
	if (str_find(line, STR("\"event\":\"status\"")) < line.n)
		u->parts[START].ready = true;
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
	bool all = u->parts[START].ready;

	for (int i = START + 1; i < PARTS; i++) {
		if (u->parts[START].ready && u->parts[i].wanted && u->parts[i].again == 0)
			start(u, i);
		all = all && (u->parts[i].ready || !u->parts[i].wanted);
	}
	if (u->announced || !all)
		return;
	u->announced = true;
	buf_free(&u->line);
	io_write_all(1, "quill: ready\n", 13);
}

static void stop(struct up *u)
{
	u->stopping = true;
	/* No new mail first, then the rest. */
	signal_listeners(u, SIGTERM);
	if (u->parts[START].pid > 0)
		kill(u->parts[START].pid, SIGTERM);
}

static void part_ended(struct up *u, int i, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 111;

	u->parts[i].pid = 0;
	if (u->stopping)
		return;
	if (i == START ? !u->announced : !u->parts[i].ready) {
		/* It said why. */
		u->code = code ? code : 111;
		stop(u);
	} else {
		fprintf(stderr, "quill: %s has ended; starting it again\n",
			i == START ? "qmail-send" : part_rows[i].program);
	}
}

static void child_ended(struct up *u, pid_t pid, int status)
{
	for (int i = 0; i < PARTS; i++)
		if (u->parts[i].pid == pid)
			part_ended(u, i, status);
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
		if ((sig == SIGHUP || sig == SIGALRM) && u->parts[START].pid > 0)
			kill(u->parts[START].pid, sig);
		if (sig == SIGHUP)
			signal_listeners(u, sig);
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
	for (int i = 0; i < PARTS; i++)
		if (u->parts[i].wanted && u->parts[i].pid == 0 && now >= u->parts[i].again)
			start(u, i);
}

static bool running(const struct up *u)
{
	for (int i = 0; i < PARTS; i++)
		if (u->parts[i].pid > 0)
			return true;
	return false;
}

static void kill_all(const struct up *u)
{
	for (int i = 0; i < PARTS; i++)
		if (u->parts[i].pid > 0)
			kill(u->parts[i].pid, SIGKILL);
}

static int loop(struct up *u)
{
	struct pollfd fds[2] = { { .fd = u->signals, .events = POLLIN }, { .fd = u->log[0], .events = POLLIN } };
	int64_t limit = 0;

	while (running(u) || !u->stopping) {
		poll(fds, 2, 250);
		if (fds[1].revents)
			copy_log(u);
		take_signals(u);
		announce(u);
		restart(u);
		if (u->stopping && limit == 0)
			limit = clock_monotonic_ms() + STOP_MS;
		if (u->stopping && clock_monotonic_ms() > limit)
			kill_all(u);
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
	u->parts[START].wanted = u->parts[SMTPD].wanted = true;
	u->parts[POPUP].wanted = access("control/pop3listen", F_OK) == 0;
	start(u, START);
	if (u->parts[START].pid == -1)
		return quill_fail(111, "unable to fork: %s", errno_text(errno));
	return loop(u);
}

int quill_up(int argc, char **argv)
{
	struct up u = { .defaultdelivery = BUF_INIT(65536), .line = BUF_INIT(LINES_MAX) };
	int code = quill_choose_home(argc, argv);

	if (code == 0)
		code = start_and_watch(&u);
	buf_free(&u.defaultdelivery);
	buf_free(&u.line);
	return code;
}
