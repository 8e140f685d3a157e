#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "qmail-popup/popup.h"
#include "sys/clock.h"
#include "sys/io.h"
#include "sys/service.h"

#define STAMP_MAX 400
#define CREDENTIALS_FD 3
#define SHOWN 200 /* bytes of a name, in the log */

static void say(int fd, const char *text)
{
	(void)io_write_all(fd, text, strlen(text));
}

static int wait_for(pid_t pid)
{
	int status = 0;

	while (pid > 0 && waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	return status;
}

static void note(const struct popup *p, struct str credentials, const char *what, const char *client)
{
	struct str login = str_head(credentials, str_chr(credentials, 0));
	struct buf shown = BUF_INIT(SHOWN);

	/* Without blanks, it can pass for no other part of the line. */
	buf_add_visible(&shown, str_head(login, SHOWN));
	if (p->log)
		service_log(POPUP_NAME, "pid %ld %s %.*s client [%s]", (long)getpid(), what, STR_ARG(buf_str(&shown)),
			    client);
	buf_free(&shown);
}

/* ---- the program ------------------------------------------------------------------ */

static _Noreturn void become_program(const struct popup *p, int in, int out, int credentials)
{
	/* None of 0, 1 and 3 may be overwritten before it is copied. */
	int a = fcntl(in, F_DUPFD_CLOEXEC, 10), b = fcntl(out, F_DUPFD_CLOEXEC, 10);
	int c = fcntl(credentials, F_DUPFD_CLOEXEC, 10);

	if (dup2(a, 0) == -1 || dup2(b, 1) == -1 || dup2(c, CREDENTIALS_FD) == -1)
		_exit(111);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	execvp(*p->program, p->program);
	_exit(111);
}

/* Runs the program with the credentials on descriptor 3, and tells the client when it fails. */
static void run_program(const struct popup *p, int in, int out, struct str credentials, const char *client)
{
	int ends[2], status;
	pid_t pid;

	if (io_pipe(ends) == -1) {
		say(out, "-ERR unable to open pipe\r\n");
		return;
	}
	pid = fork();
	if (pid == 0)
		become_program(p, in, out, ends[0]);
	close(ends[0]);
	if (pid == -1)
		say(out, "-ERR unable to fork\r\n");
	/* It fits into a pipe. A program that does not read it fails by itself. */
	else
		(void)io_write_all(ends[1], credentials.p, credentials.n);
	close(ends[1]);
	if (pid == -1)
		return;
	status = wait_for(pid);
	if (WIFSIGNALED(status))
		say(out, "-ERR aack, child crashed\r\n");
	else if (WEXITSTATUS(status))
		say(out, "-ERR authorization failed\r\n");
	note(p, credentials, WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "ended session of" : "failed login of",
	     client);
}

/* ---- the session ------------------------------------------------------------------ */

static bool make_sockets(const struct popup *p, int control[2], int data[2])
{
	data[0] = data[1] = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) == -1)
		return false;
	if (p->tls == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, data) == 0)
		return true;
	close(control[0]);
	close(control[1]);
	return false;
}

static void close_fd(int fd)
{
	if (fd != -1)
		close(fd);
}

/* What the front sends; -1: it has nothing to say. */
static ssize_t receive(int fd, char packet[POPUP_PACKET_MAX])
{
	ssize_t n;

	do
		n = recv(fd, packet, POPUP_PACKET_MAX, 0);
	while (n == -1 && errno == EINTR);
	return n < 1 || (packet[0] != POPUP_CLEAR && packet[0] != POPUP_TLS) ? -1 : n;
}

static void supervise(const struct popup *p, int in, int out, pid_t front, int control, int data, const char *client)
{
	char packet[POPUP_PACKET_MAX];
	ssize_t n = receive(control, packet);
	struct str credentials = { packet + 1, n > 0 ? (size_t)n - 1 : 0 };

	if (n > 0 && packet[0] == POPUP_CLEAR) {
		wait_for(front);
		front = 0;
		run_program(p, in, out, credentials, client);
	} else if (n > 0 && data != -1) {
		run_program(p, data, data, credentials, client);
	}
	explicit_bzero(packet, sizeof packet);
	/* The front sends what is left, and ends. */
	close_fd(data);
	wait_for(front);
}

void popup_session(const struct popup *p, int in, int out, const char *client)
{
	char stamp[STAMP_MAX];
	int control[2], data[2];
	pid_t front, own = getpid();

	snprintf(stamp, sizeof stamp, "<%ld.%lld@%s>", (long)getpid(), (long long)clock_wall(), p->hostname);
	if (!make_sockets(p, control, data)) {
		say(out, "-ERR unable to open pipe\r\n");
		return;
	}
	signal(SIGCHLD, SIG_DFL);
	front = fork();
	if (front == 0) {
		const struct popup_front f = {
			.popup = p,
			.stamp = stamp,
			.in = in,
			.out = out,
			.parent = own,
			.monitor = control[1],
			.data = data[1],
		};

		close(control[0]);
		close_fd(data[0]);
		popup_front(&f);
	}
	close(control[1]);
	close_fd(data[1]);
	if (front == -1)
		say(out, "-ERR unable to fork\r\n");
	else
		supervise(p, in, out, front, control[0], data[0], client);
	close(control[0]);
}
