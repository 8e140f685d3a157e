/*
 * setlock [ -nNxX ] FILE PROGRAM…: holds an exclusive lock on FILE while the
 * program runs (contract-companions §2.2). -n: do not wait for it. -x: where
 * it cannot be had, exit 0 in silence instead of 111.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "filter/chain.h"
#include "filter/tool.h"
#include "sys/options.h"

#define ME "setlock"
#define USAGE "[ -nNxX ] file program [ arg ... ]"

static _Noreturn void give_up(bool silent, const char *what, const char *file)
{
	if (silent)
		exit(0);
	tool_die(ME, EXIT_TEMPORARY, "unable to %s %s: %s", what, file, errno_text(errno));
}

static int lock(int fd, int how)
{
	int r;

	do
		r = flock(fd, how);
	while (r == -1 && errno == EINTR);
	return r;
}

int main(int argc, char **argv)
{
	bool wait = true, silent = false;
	int c, fd;

	while ((c = options_next(argc, argv, "nNxX")) != -1) {
		if (c == '?')
			tool_usage(ME, USAGE);
		if (c == 'n' || c == 'N')
			wait = c == 'N';
		else
			silent = c == 'x';
	}
	if (argc - optind < 2)
		tool_usage(ME, USAGE);
	/* The program inherits the descriptor, and with it the lock. */
	fd = open(argv[optind], O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0600);
	if (fd == -1)
		give_up(silent, "open", argv[optind]);
	if (lock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB) == -1)
		give_up(silent, "lock", argv[optind]);
	chain_run(ME, argv + optind + 1, NULL);
}
