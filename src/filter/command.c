#include "filter/command.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "base/mem.h"
#include "filter/child.h"
#include "filter/preline_head.h"
#include "filter/tool.h"

#define HEAD_MAX (1u << 20)

void command_rewind(const char *me)
{
	if (lseek(0, 0, SEEK_SET) == -1)
		tool_die(me, EXIT_TEMPORARY, "unable to rewind input: %s", errno_text(errno));
}

void command_run(const char *me, const char *command, bool preline)
{
	char *text = mem_copy(str_of(command)), shell[] = "/bin/sh", option[] = "-c";
	char *argv[] = { shell, option, text, NULL };
	const struct preline_head all = { true, true, true };
	struct buf head = BUF_INIT(HEAD_MAX);
	struct err e;
	int code;
	bool ok;

	command_rewind(me);
	if (preline && !preline_head(&all, &head))
		tool_die(me, EXIT_PERMANENT, "UFLINE, RPLINE and DTLINE must be set");
	ok = preline ? child_feed(me, argv, buf_str(&head), 0, &code, &e) : child_run(me, argv, &code, &e);
	if (!ok)
		tool_fail(me, &e);
	if (code == CHILD_CRASHED)
		tool_die(me, EXIT_TEMPORARY, "child crashed");
	if (code != 0)
		exit(exit_code_permanent(code) ? EXIT_PERMANENT : EXIT_TEMPORARY);
	buf_free(&head);
	free(text);
}
