#include "sandbox/sandbox.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "sandbox/sandbox_internal.h"
#include "sys/service.h"

#ifdef SANDBOX_NULL
#define IS_NULL true
#else
#define IS_NULL false
#endif

bool sandbox_is_null(void)
{
	return IS_NULL;
}

bool sandbox_writes(const struct sandbox_rights *r)
{
	for (int i = 0; i < SANDBOX_PATHS_MAX && r->paths[i].path; i++)
		if (r->paths[i].access == SANDBOX_WRITE)
			return true;
	return false;
}

static bool runs_programs(const struct sandbox_rights *r)
{
	const char *queue = getenv("QMAILQUEUE");

	return r->may & SANDBOX_PROGRAMS || (r->may & SANDBOX_QUEUE_PROGRAM && queue != NULL && *queue != 0);
}

/* Lowers a limit, never raises it: the administrator's own (softlimit, ulimit) stays in force. */
static bool limit(int resource, rlim_t most, bool hard, struct err *e)
{
	struct rlimit lim;

	if (getrlimit((unsigned)resource, &lim) == -1)
		return err_sys(e, errno, "unable to ask for a resource limit");
	if (lim.rlim_cur > most)
		lim.rlim_cur = most;
	if (hard && lim.rlim_max > most)
		lim.rlim_max = most;
	return setrlimit((unsigned)resource, &lim) == 0 || err_sys(e, errno, "unable to set a resource limit");
}

static void report(const struct sandbox_rights *r, const char *what)
{
	if (r->name)
		service_log(r->name, "warning: this system offers no %s; running without", what);
}

bool sandbox_enter(const struct sandbox_rights *r, struct err *e)
{
	bool no_landlock = false, no_seccomp = false;

	if (IS_NULL)
		return true;
	if (runs_programs(r))
		return limit(RLIMIT_CORE, 0, false, e);
	if (!limit(RLIMIT_CORE, 0, true, e) || (r->memory && !limit(RLIMIT_DATA, r->memory, true, e)))
		return false;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return err_sys(e, errno, "unable to renounce new privileges");
	if (!sandbox_limit_files(r, &no_landlock, e))
		return false;
	if (!(r->may & SANDBOX_BRIEF) && !sandbox_limit_calls(r, &no_seccomp, e))
		return false;
	if (no_landlock)
		report(r, "Landlock");
	if (no_seccomp)
		report(r, "seccomp filters");
	return true;
}
