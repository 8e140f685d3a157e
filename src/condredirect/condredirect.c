/*
 * condredirect NEWADDRESS PROGRAM…: when the program exits 0 the message goes
 * to the new address instead, from its original sender, and no further line of
 * the .qmail file counts (contract §18). Exit 99 redirected, 0 not, 100, 111.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "filter/child.h"
#include "filter/resend.h"
#include "filter/tool.h"

#define ME "condredirect"

int main(int argc, char **argv)
{
	struct resend r = { .fd = 0, .n = 1 };
	struct str to;
	struct err e;
	pid_t qp;

	if (argc < 3)
		tool_usage(ME, "newaddress program [ arg ... ]");
	to = str_of(argv[1]);
	r.to = &to;
	r.sender = str_of(tool_variable(ME, "SENDER"));
	r.header = str_of(tool_variable(ME, "DTLINE"));
	if (child_verdict(ME, argv + 2) != 0)
		return 0;
	if (lseek(0, 0, SEEK_SET) == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to rewind: %s", errno_text(errno));
	if (!resend_message(&r, &qp, &e))
		tool_fail(ME, &e);
	fprintf(stderr, ME ": qp %d\n", (int)qp);
	return EXIT_STOP;
}
