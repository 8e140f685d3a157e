/*
 * The child's part of a delivery: find the owner where users/cdb did not say,
 * become that user, deliver. Nothing of the user's is touched and nothing of
 * the message is read before that.
 */
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "local/local.h"
#include "qmail-lspawn/lspawn.h"
#include "sys/home.h"
#include "sys/io.h"
#include "users/getpw.h"

enum { EXIT_BUG = 112, EXIT_ROOT = 113 };

static void close_between(int first, int last)
{
	if (first > last || close_range((unsigned)first, (unsigned)last, 0) == 0)
		return;
	for (int fd = first; fd <= last && fd < 65536; fd++)
		close(fd);
}

/*
 * Leaves descriptors 0 to 2 and the home. The parent's sockets must not stay
 * open here: qmail-send would not notice that qmail-lspawn has died.
 */
static bool arrange_descriptors(int message, int report)
{
	int home = home_dir();

	if (dup2(message, 0) == -1 || dup2(report, 1) == -1 || dup2(report, 2) == -1)
		return false;
	close_between(3, home - 1);
	close_between(home + 1, INT32_MAX);
	return true;
}

static void arrange_process(void)
{
	const struct rlimit none = { 0, 0 };
	sigset_t empty;

	setsid();
	setrlimit(RLIMIT_CORE, &none);
	signal(SIGTERM, SIG_DFL);
	sigemptyset(&empty);
	sigprocmask(SIG_SETMASK, &empty, NULL);
}

static enum owner_status find_owner(const struct lspawn *l, const struct child_job *job, struct owner *o)
{
	const struct getpw_rules rules = {
		.own_only = !l->root,
		.own_uid = l->uid,
		.own_gid = getgid(),
		.own_alias = l->own_alias,
	};

	if (job->known != OWNER_NONE) {
		*o = *job->owner;
		return job->known;
	}
	return getpw_find(&rules, job->local, o);
}

static void become(const struct lspawn *l, const struct owner *o)
{
	struct err e;

	if (o->uid == 0)
		_exit(EXIT_ROOT);
	if (!l->root && o->uid != l->uid)
		_exit(OWNER_TEMPORARY);
	if (l->root && !accounts_become(o->uid, o->gid, &e))
		_exit(OWNER_TEMPORARY);
}

_Noreturn void lspawn_child(const struct lspawn *l, const struct child_job *job)
{
	struct local_report report = LOCAL_REPORT_INIT;
	struct owner owner = OWNER_INIT;
	enum owner_status status;
	struct local_job delivery;
	int code;

	arrange_process();
	if (!arrange_descriptors(job->message, job->report))
		_exit(EXIT_BUG);
	status = find_owner(l, job, &owner);
	if (status != OWNER_FOUND)
		_exit((int)status);
	become(l, &owner);
	delivery = (struct local_job){
		.user = owner.user,
		.home = owner.home,
		.local = mem_copy(job->local),
		.dash = owner.dash,
		.ext = owner.ext,
		.host = mem_copy(job->host),
		.sender = mem_copy(job->request->sender),
		.default_delivery = l->default_delivery,
		.message_fd = 0,
		.limits = l->limits,
	};
	code = local_deliver(&delivery, &report);
	if (report.out.n)
		io_write_all(1, report.out.p, report.out.n);
	if (report.err.n)
		io_write_all(2, report.err.p, report.err.n);
	_exit(code);
}
