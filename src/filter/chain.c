#include "filter/chain.h"

#include <errno.h>

#include "base/err.h"
#include "base/exitcode.h"
#include "filter/tool.h"

_Noreturn void chain_run(const char *me, char *const *argv, const struct childenv *env)
{
	struct childenv own = { 0 };

	if (env == NULL)
		own = childenv_start();
	childenv_run(env ? env : &own, argv[0], argv);
	tool_die(me, EXIT_TEMPORARY, "unable to run %s: %s", argv[0], errno_text(errno));
}
