/*
 * fghack PROGRAM…: keeps a program that puts itself into the background in
 * sight (contract-companions §2.2): waits until it and all its descendants
 * have closed the pipe that they inherit, then exits as the program did.
 */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "filter/chain.h"
#include "filter/tool.h"
#include "sys/io.h"

#define ME "fghack"
/* Daemons close descriptors that they do not know, but seldom that many. */
#define COPIES 30

static _Noreturn void become(char **argv, const int p[2])
{
	close(p[0]);
	io_set_cloexec(p[1], false);
	for (int i = 0; i < COPIES; i++)
		if (dup(p[1]) == -1)
			break;
	chain_run(ME, argv, NULL);
}

int main(int argc, char **argv)
{
	int p[2], status;
	pid_t pid;
	char c;

	if (argc < 2)
		tool_usage(ME, "child");
	if (io_pipe(p) == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to create pipe: %s", errno_text(errno));
	pid = fork();
	if (pid == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to fork: %s", errno_text(errno));
	if (pid == 0)
		become(argv + 1, p);
	close(p[1]);
	while (io_read(p[0], &c, 1) > 0)
		;
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			tool_die(ME, EXIT_TEMPORARY, "wait failed: %s", errno_text(errno));
	if (!WIFEXITED(status))
		tool_die(ME, EXIT_TEMPORARY, "child crashed");
	return WEXITSTATUS(status);
}
