/*
 * fifo FILE: copies what arrives at a named pipe, which is made if need be, to
 * its output, for ever (contract-companions §2.1): it holds the other end of
 * the pipe itself. Exit 100 for a wrong call, 111 for trouble.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "filter/tool.h"
#include "sys/io.h"

#define ME "fifo"

int main(int argc, char **argv)
{
	char piece[65536];
	struct stat st;
	ssize_t n;
	int fd;

	if (argc != 2)
		tool_usage(ME, "file");
	if (mkfifo(argv[1], 0600) == -1 && errno != EEXIST)
		tool_die(ME, EXIT_TEMPORARY, "unable to create %s: %s", argv[1], errno_text(errno));
	fd = open(argv[1], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1 || fstat(fd, &st) == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to read %s: %s", argv[1], errno_text(errno));
	if (!S_ISFIFO(st.st_mode))
		tool_die(ME, EXIT_TEMPORARY, "unable to read %s: it is no named pipe", argv[1]);
	if (open(argv[1], O_WRONLY | O_NONBLOCK | O_CLOEXEC) == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to write %s: %s", argv[1], errno_text(errno));
	io_set_nonblocking(fd, false);
	while ((n = io_read(fd, piece, sizeof piece)) > 0)
		if (io_write_all(1, piece, (size_t)n) == -1)
			tool_die(ME, EXIT_TEMPORARY, "unable to write output: %s", errno_text(errno));
	tool_die(ME, EXIT_TEMPORARY, "unable to read %s: %s", argv[1], errno_text(errno));
}
