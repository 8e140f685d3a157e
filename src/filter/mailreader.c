#include "filter/mailreader.h"

#include <stdlib.h>

#include "base/exitcode.h"
#include "base/mem.h"
#include "filter/child.h"
#include "filter/tool.h"
#include "sys/home.h"

_Noreturn void mailreader_run(const char *me, const char *program, char **argv)
{
	char *mover[] = { NULL, NULL };
	struct err e;
	int code;

	if (!home_open(&e))
		tool_die(me, EXIT_TEMPORARY, "%s", e.text);
	mover[0] = mem_copy(str_of(home_program("maildir2mbox")));
	if (!child_run(me, mover, &code, &e))
		tool_fail(me, &e);
	if (code != 0)
		exit(code == CHILD_CRASHED ? EXIT_TEMPORARY : code);
	free(mover[0]);
	argv[0] = mem_copy(str_of(program));
	child_become(me, argv);
}
