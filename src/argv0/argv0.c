/*
 * argv0 REALNAME NAME [ARGUMENT…]: becomes REALNAME, which is told that it is
 * called NAME (contract-companions §1.5).
 */
#include <errno.h>

#include "base/exitcode.h"
#include "filter/childenv.h"
#include "filter/tool.h"

#define ME "argv0"

int main(int argc, char **argv)
{
	struct childenv env;

	if (argc < 3)
		tool_usage(ME, "realname program [ arg ... ]");
	env = childenv_start();
	childenv_run(&env, argv[1], argv + 2);
	tool_die(ME, EXIT_TEMPORARY, "unable to run %s: %s", argv[1], errno_text(errno));
}
