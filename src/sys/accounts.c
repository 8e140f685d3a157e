#include "sys/accounts.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

static const char *const names[ACCOUNT_COUNT] = {
	[ACCOUNT_ALIAS] = "alias",   [ACCOUNT_DAEMON] = "qmaild",  [ACCOUNT_LOG] = "qmaill",
	[ACCOUNT_PASSWD] = "qmailp", [ACCOUNT_QUEUE] = "qmailq",   [ACCOUNT_REMOTE] = "qmailr",
	[ACCOUNT_SEND] = "qmails",   [ACCOUNT_RESOLVE] = "qmailn",
};

const char *account_name(enum account which)
{
	return names[which];
}

static bool find_user(const char *name, uid_t *uid, struct err *e)
{
	struct passwd *pw;

	errno = 0;
	pw = getpwnam(name);
	if (pw == NULL && errno != 0 && errno_temporary(errno))
		return err_sys(e, errno, "unable to look up user %s", name);
	if (pw == NULL)
		return err_perm(e, "unable to find user %s; run quill setup, which makes it", name);
	*uid = pw->pw_uid;
	return true;
}

static bool find_group(const char *name, gid_t *gid, struct err *e)
{
	struct group *gr = getgrnam(name);

	if (gr == NULL)
		return err_perm(e, "unable to find group %s; run quill setup, which makes it", name);
	*gid = gr->gr_gid;
	return true;
}

bool accounts_single(struct accounts *a)
{
	a->separated = false;
	for (int i = 0; i < ACCOUNT_COUNT; i++)
		a->uid[i] = getuid();
	a->gid_qmail = a->gid_nofiles = getgid();
	return true;
}

static bool load_separated(struct accounts *a, struct err *e)
{
	a->separated = true;
	for (int i = 0; i < ACCOUNT_COUNT; i++) {
		if (i == ACCOUNT_RESOLVE && getpwnam(names[i]) == NULL) {
			a->uid[i] = a->uid[ACCOUNT_PASSWD];
			continue;
		}
		if (!find_user(names[i], &a->uid[i], e))
			return false;
	}
	return find_group("qmail", &a->gid_qmail, e) && find_group("nofiles", &a->gid_nofiles, e);
}

bool accounts_load(struct accounts *a, struct err *e)
{
	return getuid() == 0 ? load_separated(a, e) : accounts_single(a);
}

bool accounts_load_names(struct accounts *a, struct err *e)
{
	struct err ignored;

	if (getuid() == 0)
		return load_separated(a, e);
	if (load_separated(a, &ignored))
		for (int i = 0; i < ACCOUNT_COUNT; i++)
			if (a->uid[i] == getuid())
				return true;
	return accounts_single(a);
}

bool accounts_ours(const struct accounts *a, uid_t uid)
{
	for (int i = 0; i < ACCOUNT_COUNT; i++)
		if (a->uid[i] == uid)
			return true;
	return uid == 0;
}

bool accounts_become(uid_t uid, gid_t gid, struct err *e)
{
	if (getuid() == uid && geteuid() == uid && getgid() == gid && getegid() == gid && uid != 0)
		return true;
	if (setgroups(1, &gid) == -1 || setresgid(gid, gid, gid) == -1 || setresuid(uid, uid, uid) == -1)
		return err_sys(e, errno, "unable to become uid %lu", (unsigned long)uid);
	if (uid != 0 && setuid(0) == 0)
		return err_perm(e, "giving up root did not last");
	return true;
}
