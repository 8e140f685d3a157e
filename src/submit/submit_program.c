#include "submit/submit_program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/home.h"
#include "sys/io.h"

enum { STATUS_EXEC = 120, STATUS_CUSTOM = 82, ERROR_FD = 6, OLDER_ERROR_FD = 4 };

bool submit_program_wanted(void)
{
	const char *path = getenv("QMAILQUEUE");

	return path != NULL && *path != 0;
}

/* simscan and others write their words to 4. What was inherited there stays. */
static bool offer_older(int error)
{
	int flags = fcntl(OLDER_ERROR_FD, F_GETFD);

	return (flags != -1 && !(flags & FD_CLOEXEC)) || dup2(error, OLDER_ERROR_FD) != -1;
}

static _Noreturn void run_child(int message, int envelope, int error)
{
	const char *path = getenv("QMAILQUEUE");
	/* High numbers first, so that no dup2 overwrites a descriptor still needed. */
	int m = fcntl(message, F_DUPFD_CLOEXEC, 10), v = fcntl(envelope, F_DUPFD_CLOEXEC, 10),
	    x = fcntl(error, F_DUPFD_CLOEXEC, 10);

	signal(SIGPIPE, SIG_DFL);
	/* First of all: the home's descriptor may be one of the numbers that the others move to. */
	if (fchdir(home_dir()) == -1 || m == -1 || v == -1 || x == -1 || dup2(m, 0) == -1 || dup2(v, 1) == -1 ||
	    dup2(x, ERROR_FD) == -1 || !offer_older(x))
		_exit(STATUS_EXEC);
	execl(path, path, (char *)NULL);
	_exit(STATUS_EXEC);
}

bool submit_program_start(struct submit *s, struct err *e)
{
	int message[2], envelope[2], error[2];

	if (io_pipe(message) == -1)
		return err_sys(e, errno, "unable to make a pipe");
	if (io_pipe(envelope) == -1) {
		close(message[0]), close(message[1]);
		return err_sys(e, errno, "unable to make a pipe");
	}
	if (io_pipe(error) == -1) {
		close(message[0]), close(message[1]), close(envelope[0]), close(envelope[1]);
		return err_sys(e, errno, "unable to make a pipe");
	}
	signal(SIGPIPE, SIG_IGN);
	s->pid = fork();
	if (s->pid == 0)
		run_child(message[0], envelope[0], error[1]);
	close(message[0]), close(envelope[0]), close(error[1]);
	s->message_fd = message[1];
	s->envelope_fd = envelope[1];
	s->error_fd = error[0];
	if (s->pid == -1) {
		s->pid = 0;
		close(s->message_fd), close(s->envelope_fd), close(s->error_fd);
		return err_sys(e, errno, "unable to fork");
	}
	return true;
}

static int wait_for(pid_t pid)
{
	int status;
	pid_t r;

	do
		r = waitpid(pid, &status, 0);
	while (r == -1 && errno == EINTR);
	if (r == -1)
		return SUBMIT_STATUS_WAIT;
	return WIFEXITED(status) ? WEXITSTATUS(status) : SUBMIT_STATUS_CRASHED;
}

/* The program's own words: a letter D or Z, then text for the client. */
static void custom_text(struct submit *s, struct submit_result *r)
{
	char text[sizeof r->text];
	ssize_t n;

	/* Something that the program left behind may still hold the other end. */
	fcntl(s->error_fd, F_SETFL, O_NONBLOCK);
	n = io_read(s->error_fd, text, sizeof text - 1);
	while (n > 0 && (unsigned char)text[n - 1] <= ' ')
		n--;
	if (n <= 2 || (text[0] != 'D' && text[0] != 'Z'))
		return;
	for (ssize_t i = 1; i < n; i++)
		if ((unsigned char)text[i] < 32 || text[i] == 127)
			text[i] = ' ';
	text[n] = 0;
	r->letter = text[0];
	snprintf(r->text, sizeof r->text, "%s", text + 1);
}

int submit_program_finish(struct submit *s, int status, struct submit_result *r)
{
	int code;

	*r = (struct submit_result){ .qp = s->pid };
	close(s->message_fd);
	if (status == 0) {
		buf_addc(&s->envelope, 0);
		if (io_write_all(s->envelope_fd, s->envelope.p, s->envelope.n) == -1)
			status = 53;
	}
	/* Without a whole envelope the program sees the end of file and gives up. */
	close(s->envelope_fd);
	code = wait_for(s->pid);
	s->pid = 0;
	if (code == STATUS_CUSTOM)
		custom_text(s, r);
	close(s->error_fd);
	s->message_fd = s->envelope_fd = s->error_fd = -1;
	r->status = code ? code : status;
	/* A program that succeeds although it was cut off has not seen the whole message. */
	return code ? code : status ? (status == 11 ? 11 : 54) : 0;
}
