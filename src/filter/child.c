#include "filter/child.h"
#include "base/exitcode.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "filter/tool.h"
#include "sys/io.h"

#define CHUNK 65536

_Noreturn void child_become(const char *me, char *const *argv)
{
	struct err e;

	execvp(argv[0], argv);
	err_sys(&e, errno, "unable to run %s", argv[0]);
	tool_fail(me, &e);
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return CHILD_CRASHED;
	return WIFEXITED(status) ? WEXITSTATUS(status) : CHILD_CRASHED;
}

/* A parent that ignores SIGCHLD would make its children unwaitable. */
static pid_t start(struct err *e)
{
	pid_t pid;

	signal(SIGCHLD, SIG_DFL);
	pid = fork();
	if (pid == -1)
		err_sys(e, errno, "unable to fork");
	return pid;
}

bool child_run(const char *me, char *const *argv, int *code, struct err *e)
{
	pid_t pid = start(e);

	if (pid == 0)
		child_become(me, argv);
	if (pid == -1)
		return false;
	*code = wait_for(pid);
	return true;
}

/* False on a read error (errno). A reader that has had enough is no error. */
static bool copy(int from, int to)
{
	static char chunk[CHUNK];
	ssize_t r;

	while ((r = io_read(from, chunk, sizeof chunk)) > 0)
		if (io_write_all(to, chunk, (size_t)r) == -1)
			return true;
	return r == 0;
}

static _Noreturn void become_reader(const char *me, char *const *argv, int fd)
{
	signal(SIGPIPE, SIG_DFL);
	if (dup2(fd, 0) == -1)
		tool_die(me, EXIT_TEMPORARY, "unable to set up the descriptors: %s", errno_text(errno));
	child_become(me, argv);
}

bool child_feed(const char *me, char *const *argv, struct str prefix, int fd, int *code, struct err *e)
{
	bool whole;
	int p[2];
	pid_t pid;

	if (io_pipe(p) == -1)
		return err_sys(e, errno, "unable to create pipe");
	pid = start(e);
	if (pid == 0)
		become_reader(me, argv, p[0]);
	close(p[0]);
	if (pid == -1) {
		close(p[1]);
		return false;
	}
	signal(SIGPIPE, SIG_IGN);
	whole = io_write_all(p[1], prefix.p, prefix.n) == -1 || copy(fd, p[1]);
	if (!whole) {
		err_temp(e, "unable to read message: %s", errno_text(errno));
		kill(pid, SIGKILL);
	}
	close(p[1]);
	*code = wait_for(pid);
	return whole;
}

int child_verdict(const char *me, char *const *argv)
{
	struct err e;
	int code;

	if (!child_run(me, argv, &code, &e))
		tool_fail(me, &e);
	if (code == CHILD_CRASHED)
		tool_die(me, EXIT_TEMPORARY, "child crashed");
	if (code == EXIT_TEMPORARY)
		tool_die(me, EXIT_TEMPORARY, "temporary child error");
	return code;
}
