/*
 * testfilelock FILE: has somebody locked it, as setlock and supervise do
 * (contract-companions §2.1)? Exit 0 if so, 100 if not, 111 for trouble.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "filter/tool.h"

#define ME "testfilelock"

int main(int argc, char **argv)
{
	int fd;

	if (argc != 2)
		tool_usage(ME, "file");
	fd = open(argv[1], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to open %s: %s", argv[1], errno_text(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return EXIT_PERMANENT;
	if (errno == EWOULDBLOCK)
		return 0;
	tool_die(ME, EXIT_TEMPORARY, "unable to test %s: %s", argv[1], errno_text(errno));
}
