#include "local/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "local/leftover.h"
#include "sys/clock.h"
#include "sys/io.h"

/* Without a limit of time: look after the child now and then all the same. */
#define WAIT_MS 3600000

static void set_limit(int which, uint64_t value)
{
	struct rlimit r;

	if (value == 0 || getrlimit(which, &r) == -1 || (r.rlim_cur != RLIM_INFINITY && r.rlim_cur <= value))
		return;
	r.rlim_cur = value;
	if (r.rlim_max == RLIM_INFINITY || r.rlim_max > value)
		r.rlim_max = value;
	setrlimit(which, &r);
}

static void set_limits(const struct program_limits *limits)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	set_limit(RLIMIT_NPROC, limits->processes);
#ifndef SANDBOX_NULL /* instrumented programs need terabytes */
	set_limit(RLIMIT_DATA, limits->memory);
#endif
}

/* What a program may expect of a fresh process. */
static void reset_signals(void)
{
	static const int changed[] = { SIGPIPE, SIGXFSZ, SIGALRM, SIGTERM, SIGCHLD, SIGHUP, SIGINT, SIGQUIT };
	sigset_t empty;

	for (size_t i = 0; i < sizeof changed / sizeof *changed; i++)
		signal(changed[i], SIG_DFL);
	sigemptyset(&empty);
	sigprocmask(SIG_SETMASK, &empty, NULL);
}

static void close_others(void)
{
	long last = sysconf(_SC_OPEN_MAX);

	if (close_range(3, ~0u, 0) == 0)
		return;
	for (long fd = 3; fd < last && fd < 65536; fd++)
		close((int)fd);
}

static _Noreturn void run_child(const char *command, char *const *environment, const struct program_limits *limits,
				int message_fd, pid_t parent)
{
	const char *const argv[] = { "/bin/sh", "-c", command, NULL };
	char text[128];
	int n;

	/* Should this delivery be killed, its program must not go on as if it counted. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(111);
	setsid();
	if (message_fd != 0 && dup2(message_fd, 0) == -1)
		_exit(111);
	close_others();
	set_limits(limits);
	reset_signals();
	execve(argv[0], (char *const *)argv, environment);
	n = snprintf(text, sizeof text, "Unable to run /bin/sh: %s. (#4.3.0)\n", errno_text(errno));
	io_write_all(2, text, (size_t)n);
	_exit(111);
}

/*
 * Waits until the child has ended, and leaves it to be reaped, so that its
 * process group cannot be another's yet. False: the time is over.
 */
static bool await_end(pid_t child, unsigned seconds)
{
	int64_t end = clock_monotonic_ms() + (int64_t)seconds * 1000, left = WAIT_MS;
	siginfo_t info = { .si_pid = 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (;;) {
		struct timespec wait;

		if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == -1 || info.si_pid == child)
			return true;
		if (seconds)
			left = end - clock_monotonic_ms();
		if (left <= 0)
			return false;
		wait.tv_sec = left / 1000;
		wait.tv_nsec = left % 1000 * 1000000;
		sigtimedwait(&set, NULL, &wait);
	}
}

static enum program_result fail(struct err *e, enum err_kind kind)
{
	*e = (struct err){ .kind = kind };
	return PROGRAM_FAILED;
}

enum program_result program_meaning(int code, struct err *e)
{
	if (code == 0)
		return PROGRAM_NEXT;
	if (code == EXIT_STOP)
		return PROGRAM_STOP;
	return fail(e, exit_code_permanent(code) ? ERR_PERMANENT : ERR_TEMPORARY);
}

static enum program_result finish(pid_t child, const struct program_limits *limits, bool alone, struct err *e)
{
	bool ended = await_end(child, limits->seconds);
	int status = SIGKILL;

	kill(-child, SIGKILL);
	kill(child, SIGKILL);
	while (waitpid(child, &status, 0) == -1 && errno == EINTR)
		;
	if (alone)
		leftover_kill(NULL, NULL);
	if (!ended) {
		err_temp(e, "Program took longer than %u seconds. (#4.3.0)", limits->seconds);
		return PROGRAM_FAILED;
	}
	if (WIFSIGNALED(status)) {
		err_temp(e, "Aack, child crashed. (#4.3.0)");
		return PROGRAM_FAILED;
	}
	return program_meaning(WEXITSTATUS(status), e);
}

enum program_result program_run(const char *command, char *const *environment, const struct program_limits *limits,
				const struct message *m, struct err *e)
{
	pid_t child, self = getpid();
	sigset_t block, old;
	enum program_result r;
	bool alone;

	if (!message_rewind(m, e))
		return PROGRAM_FAILED;
	alone = leftover_adopt();
	/* Blocked, so that no end of a child is missed between looking and waiting. */
	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, &old);
	child = fork();
	if (child == 0)
		run_child(command, environment, limits, m->fd, self);
	if (child == -1) {
		err_temp(e, "Unable to fork: %s. (#4.3.0)", errno_text(errno));
		r = PROGRAM_FAILED;
	} else {
		r = finish(child, limits, alone, e);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}
