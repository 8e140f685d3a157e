/*
 * svscanboot [ DIR ]: svscan for a whole machine (contract-companions §2.2):
 * with a clean environment and nothing on its descriptors, its messages in the
 * arguments of a readproctitle, where ps shows them. What an earlier svscan
 * left running in DIR is told to end first. DIR is /service, or where that
 * does not exist /etc/service.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/exitcode.h"
#include "base/mem.h"
#include "filter/chain.h"
#include "filter/tool.h"
#include "sys/home.h"
#include "sys/io.h"

#define ME "svscanboot"
#define PATH_OF_MACHINE "/command:/usr/local/bin:/usr/local/sbin:/bin:/sbin:/usr/bin:/usr/sbin:/usr/X11R6/bin"
#define TITLE_ROOM 400

/* The sibling that was installed with us; else by PATH. */
static _Noreturn void become(char **argv)
{
	char path[4096];

	snprintf(path, sizeof path, "%s", home_program(argv[0]));
	if (access(path, X_OK) == 0)
		execv(path, argv);
	chain_run(ME, argv, NULL);
}

/* A program of ours with these descriptors in place of 0, and of 1 and 2. */
static pid_t start(char **argv, int in, int out)
{
	pid_t pid = fork();

	if (pid == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to fork: %s", errno_text(errno));
	if (pid != 0)
		return pid;
	if (dup2(in, 0) == -1 || dup2(out, 1) == -1 || dup2(out, 2) == -1)
		_exit(EXIT_TEMPORARY);
	become(argv);
}

static void wait_for(pid_t pid)
{
	while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		;
}

static void stop_old_services(const char *dir)
{
	struct buf pattern = BUF_INIT(8192);
	char svc[] = "svc", option[] = "-dx", **argv;
	glob_t found;

	buf_addf(&pattern, "%s/*", dir);
	glob(buf_cstr(&pattern), 0, NULL, &found);
	buf_addz(&pattern, "/log");
	glob(buf_cstr(&pattern), GLOB_APPEND, NULL, &found);
	argv = mem_zero(found.gl_pathc + 3, sizeof *argv);
	argv[0] = svc;
	argv[1] = option;
	for (size_t i = 0; i < found.gl_pathc; i++)
		argv[2 + i] = found.gl_pathv[i];
	if (found.gl_pathc)
		wait_for(start(argv, 0, 1));
	free(argv);
	globfree(&found);
	buf_free(&pattern);
}

int main(int argc, char **argv)
{
	char usual[] = "/service", debian[] = "/etc/service";
	char svscan[] = "svscan", reader[] = "readproctitle", service[] = "service", errors[] = "errors:";
	char room[TITLE_ROOM + 1];
	char *dir = argc > 1 ? argv[1] : access(usual, F_OK) == 0 ? usual : debian;
	char *scan_argv[] = { svscan, dir, NULL }, *reader_argv[] = { reader, service, errors, room, NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), p[2];
	pid_t last;

	if (null == -1 || clearenv() != 0 || setenv("PATH", PATH_OF_MACHINE, 1) == -1 || io_pipe(p) == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to begin: %s", errno_text(errno));
	for (int fd = 0; fd <= 2; fd++)
		dup2(null, fd);
	memset(room, '.', TITLE_ROOM);
	room[TITLE_ROOM] = 0;
	stop_old_services(dir);
	start(scan_argv, null, p[1]);
	last = start(reader_argv, p[0], null);
	close(p[0]);
	close(p[1]);
	wait_for(last);
	return 0;
}
