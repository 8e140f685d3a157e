/*
 * qmail-start [defaultdelivery [logger arg …]]: starts the mail system
 * (contract §7).
 *
 * The process itself becomes qmail-send, so that a supervisor's signals reach
 * it; a child of it starts and watches the other services.
 *
 * Rights: root for a moment, to give each process its own user. It opens
 * nothing that a stranger can write to and reads no message.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "qmail-start/start.h"
#include "sys/home.h"
#include "sys/io.h"
#include "wire/startlink.h"

static int fail(const struct err *e)
{
	fprintf(stderr, "qmail-start: fatal: %s\n", e->text);
	return 111;
}

/* Said where the log goes, in qmail-send's words; a logger of this start is not running yet. */
static int fail_locked(const struct err *e, bool logger)
{
	dprintf(logger ? 2 : 1, "alert: cannot start: %s\n", e->text);
	return 111;
}

/* The logger reads lines on descriptor 0, as its own user. */
static bool start_logger(struct start *s, char **argv, struct err *e)
{
	int fds[2];
	pid_t pid;

	if (io_pipe(fds) == -1)
		return err_sys(e, errno, "unable to make a pipe");
	pid = fork();
	if (pid == -1)
		return err_sys(e, errno, "unable to fork");
	if (pid == 0) {
		struct err ignored;

		dup2(fds[0], 0);
		close_range(2, ~0u, 0);
		io_open_standard_fds();
		if (s->accounts.separated &&
		    !accounts_become(s->accounts.uid[ACCOUNT_LOG], s->accounts.gid_nofiles, &ignored))
			_exit(111);
		execvp(argv[0], argv);
		_exit(111);
	}
	close(fds[0]);
	s->log = fds[1];
	return true;
}

/* Log on 0 and 2, the link to the watching process on its number, nothing else. */
static _Noreturn void become_send(const struct start *s, int link)
{
	const char *path = home_program("qmail-send");
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), log = fcntl(s->log, F_DUPFD, 20),
	    high = fcntl(link, F_DUPFD, 20);
	struct err e;

	dup2(log, 0);
	dup2(null, 1);
	dup2(log, 2);
	dup2(high, STARTLINK_FD);
	close(3);
	close(4);
	close_range(STARTLINK_FD + 1, ~0u, 0);
	if (s->accounts.separated && !accounts_become(s->accounts.uid[ACCOUNT_SEND], s->accounts.gid_qmail, &e))
		_exit(111);
	execl(path, "qmail-send", (char *)NULL);
	fprintf(stderr, "qmail-start: fatal: unable to run %s: %s\n", path, errno_text(errno));
	_exit(111);
}

static bool fork_watch(struct start *s, int *link, struct err *e)
{
	int fds[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == -1)
		return err_sys(e, errno, "unable to make a socket pair");
	pid = fork();
	if (pid == -1)
		return err_sys(e, errno, "unable to fork");
	if (pid == 0) {
		close(fds[0]);
		s->link = fds[1];
		start_watch(s);
	}
	close(fds[1]);
	*link = fds[0];
	return true;
}

int main(int argc, char **argv)
{
	struct start s = { .defaultdelivery = argc > 1 ? argv[1] : "./Mailbox", .log = 1 };
	struct err e;
	int link = -1;

	io_open_standard_fds();
	umask(077);
	if (!home_enter(&e) || !accounts_load(&s.accounts, &e))
		return fail(&e);
	if (!start_lock(&s, &e))
		return fail_locked(&e, argc > 2);
	if (!start_prepare(&s, &e))
		return fail(&e);
	if (argc > 2 && !start_logger(&s, argv + 2, &e))
		return fail(&e);
	if (!fork_watch(&s, &link, &e))
		return fail(&e);
	become_send(&s, link);
}
