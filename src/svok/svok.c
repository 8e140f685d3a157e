/*
 * svok DIR: does a supervise run there? (contract-companions §2.2). Exit 0:
 * yes; 100: no; 111: that cannot be said.
 */
#include <errno.h>

#include "base/exitcode.h"
#include "filter/tool.h"
#include "supervision/svdir.h"

#define ME "svok"

int main(int argc, char **argv)
{
	int dir, fd;

	if (argc < 2)
		tool_usage(ME, "dir");
	dir = svdir_open(argv[1]);
	if (dir == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to chdir to %s: %s", argv[1], errno_text(errno));
	fd = svdir_fifo(dir, "ok");
	if (fd != -1)
		return 0;
	if (errno == ENOENT || errno == ENXIO)
		return EXIT_PERMANENT;
	tool_die(ME, EXIT_TEMPORARY, "unable to open %s/supervise/ok: %s", argv[1], errno_text(errno));
}
