/*
 * forward ADDRESS…: sends the message of a .qmail line on (contract §18).
 * Sender is $NEWSENDER, $DTLINE goes in front. Exit 0, 100 or 111.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "filter/resend.h"
#include "filter/tool.h"

#define ME "forward"

int main(int argc, char **argv)
{
	struct resend r = { .fd = 0 };
	struct str *to;
	struct err e;
	pid_t qp;

	if (argc < 2)
		tool_usage(ME, "newaddress ...");
	r.sender = str_of(tool_variable(ME, "NEWSENDER"));
	r.header = str_of(tool_variable(ME, "DTLINE"));
	to = mem_array(NULL, (size_t)argc - 1, sizeof *to);
	for (int i = 1; i < argc; i++)
		to[r.n++] = str_of(argv[i]);
	r.to = to;
	if (!resend_message(&r, &qp, &e))
		tool_fail(ME, &e);
	fprintf(stderr, ME ": qp %d\n", (int)qp);
	free(to);
	return 0;
}
