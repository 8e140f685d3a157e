#include "supervision/account.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "base/err.h"
#include "base/exitcode.h"
#include "filter/chain.h"
#include "filter/tool.h"

struct account_ids account_find(const char *me, const char *name)
{
	const struct passwd *pw = getpwnam(name);

	if (pw)
		return (struct account_ids){ pw->pw_uid, pw->pw_gid };
	tool_die(me, EXIT_TEMPORARY, "unknown account %s", name);
}

static void become(const char *me, const char *name)
{
	struct account_ids ids = account_find(me, name);

	if (setgroups(1, &ids.gid) == -1 || setgid(ids.gid) == -1)
		tool_die(me, EXIT_TEMPORARY, "unable to setgid: %s", errno_text(errno));
	if (setuid(ids.uid) == -1)
		tool_die(me, EXIT_TEMPORARY, "unable to setuid: %s", errno_text(errno));
}

_Noreturn void account_run(const char *me, const char *usage, int argc, char **argv)
{
	if (argc < 3)
		tool_usage(me, usage);
	become(me, argv[1]);
	chain_run(me, argv + 2, NULL);
}
