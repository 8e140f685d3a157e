/*
 * svc -udopchaitkx DIR…: commands for supervised services (contract-companions
 * §2.2): the letters go into supervise/control. Exit 0 even if a service could
 * not be reached; 100 for a wrong call.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/exitcode.h"
#include "filter/tool.h"
#include "supervision/svdir.h"
#include "sys/io.h"
#include "sys/options.h"

#define ME "svc"
/* r and s are understood where the older form of supervise runs: normally up, normally down. */
#define LETTERS "udopchaitkxrs"

static void send_to(const char *name, struct str commands)
{
	int dir = svdir_open(name), fd;

	if (dir == -1) {
		tool_warn(ME, "unable to chdir to %s: %s", name, errno_text(errno));
		return;
	}
	fd = svdir_control(dir);
	if (fd == -1 && errno == ENXIO)
		tool_warn(ME, "unable to control %s: supervise not running", name);
	else if (fd == -1)
		tool_warn(ME, "unable to control %s: %s", name, errno_text(errno));
	else if (io_set_nonblocking(fd, false) == -1 || io_write_all(fd, commands.p, commands.n) == -1)
		tool_warn(ME, "error writing commands to %s: %s", name, errno_text(errno));
	if (fd != -1)
		close(fd);
	close(dir);
}

int main(int argc, char **argv)
{
	struct buf commands = BUF_INIT(sizeof LETTERS);
	int c;

	while ((c = options_next(argc, argv, LETTERS)) != -1) {
		if (c == '?') {
			fputs("svc options: u up, d down, o once, x exit, p pause, c continue, h hup, a alarm, "
			      "i interrupt, t term, k kill\n",
			      stderr);
			return EXIT_PERMANENT;
		}
		if (str_chr(buf_str(&commands), (char)c) == commands.n)
			buf_addc(&commands, (char)c);
	}
	/* A supervise that ends while we write is an error to report, not a reason to die. */
	signal(SIGPIPE, SIG_IGN);
	for (; optind < argc; optind++)
		send_to(argv[optind], buf_str(&commands));
	buf_free(&commands);
	return 0;
}
