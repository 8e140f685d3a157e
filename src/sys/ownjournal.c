#include "sys/ownjournal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/home.h"

/* In a grandchild, so that nobody has to wait for it. */
static _Noreturn void run_journal(int fd)
{
	const char *path = home_program("qmail-journal");
	int high = fcntl(fd, F_DUPFD, 10), null = open("/dev/null", O_RDWR);

	if (fork() != 0)
		_exit(0);
	for (int i = 0; i < 3; i++)
		dup2(null, i);
	dup2(high, 3);
	close_range(4, ~0u, 0);
	execl(path, "qmail-journal", "--serve", (char *)NULL);
	_exit(111);
}

static bool may(const struct err *e)
{
	struct stat st;

	return (e->sys == ENOENT || e->sys == ECONNREFUSED) && fstatat(home_dir(), "queue", &st, 0) == 0 &&
	       S_ISDIR(st.st_mode) && (getuid() == 0 || getuid() == st.st_uid);
}

bool own_journal(enum unixsock_kind kind, int *fd, struct err *e)
{
	int fds[2];
	pid_t pid;

	if (!may(e))
		return false;
	if (socketpair(AF_UNIX, (kind == UNIXSOCK_STREAM ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC, 0, fds) == -1)
		return err_sys(e, errno, "unable to make a socket pair");
	pid = fork();
	if (pid == 0)
		run_journal(fds[1]);
	close(fds[1]);
	if (pid == -1) {
		close(fds[0]);
		return err_sys(e, errno, "unable to fork");
	}
	while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		;
	*fd = fds[0];
	return true;
}
