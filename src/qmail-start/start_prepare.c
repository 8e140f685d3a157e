/* start_prepare: everything that must exist before the first process starts. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "qmail-start/start.h"
#include "sys/home.h"

#define LOCK_SECONDS 5 /* an instance that is just ending lets go within this time */

const struct service_row service_rows[SERVICES] = {
	[SERVICE_JOURNAL] = { "qmail-journal",
			      ACCOUNT_QUEUE,
			      false,
			      { { "journal", UNIXSOCK_STREAM, 0666, ACCOUNT_COUNT },
				{ "queue", UNIXSOCK_PACKET, 0600, ACCOUNT_SEND } } },
	[SERVICE_RESOLVE] = { "qmail-resolve",
			      ACCOUNT_RESOLVE,
			      true,
			      { { "resolve", UNIXSOCK_PACKET, 0666, ACCOUNT_COUNT } } },
	[SERVICE_LSPAWN] = { "qmail-lspawn",
			     ACCOUNT_COUNT,
			     false,
			     { { "lspawn", UNIXSOCK_PACKET, 0600, ACCOUNT_SEND },
			       { "recipient", UNIXSOCK_PACKET, 0600, ACCOUNT_DAEMON } } },
	[SERVICE_RSPAWN] = { "qmail-rspawn",
			     ACCOUNT_REMOTE,
			     false,
			     { { "rspawn", UNIXSOCK_PACKET, 0600, ACCOUNT_SEND } } },
};

/* The lock lives as long as the watching process. */
static bool take_lock(struct start *s, struct err *e)
{
	s->lock = open("run/lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock == -1)
		return err_sys(e, errno, "unable to open %s/run/lock", home_path());
	for (int i = 0; i < LOCK_SECONDS * 10; i++) {
		if (flock(s->lock, LOCK_EX | LOCK_NB) == 0)
			return true;
		usleep(100000);
	}
	return err_temp(e, "qmail-send is already running in %s; stop it first", home_path());
}

static bool make_directory(const char *path, mode_t mode, uid_t uid, gid_t gid, struct err *e)
{
	struct stat st;

	if (mkdir(path, mode) == 0) {
		if (chown(path, uid, gid) == -1 || chmod(path, mode) == -1)
			return err_sys(e, errno, "unable to set the owner of %s/%s", home_path(), path);
		return true;
	}
	if (errno != EEXIST)
		return err_sys(e, errno, "unable to make %s/%s", home_path(), path);
	if (lstat(path, &st) == -1)
		return err_sys(e, errno, "unable to look at %s/%s", home_path(), path);
	if (!S_ISDIR(st.st_mode))
		return err_perm(e, "%s/%s is not a directory; move it away", home_path(), path);
	if (st.st_uid != uid)
		return err_perm(e, "%s/%s belongs to uid %lu and must belong to uid %lu; chown it", home_path(), path,
				(unsigned long)st.st_uid, (unsigned long)uid);
	if (st.st_mode & ~mode & (S_IWGRP | S_IWOTH))
		return err_perm(e, "%s/%s can be written by others; chmod it to %03o", home_path(), path,
				(unsigned)mode);
	if ((st.st_mode & S_IRWXU) != S_IRWXU)
		return err_perm(e, "%s/%s is closed to its owner; chmod it to %03o", home_path(), path, (unsigned)mode);
	return true;
}

static bool make_directories(struct start *s, struct err *e)
{
	uid_t queue = s->accounts.uid[ACCOUNT_QUEUE];
	gid_t qmail = s->accounts.gid_qmail;

	return make_directory("queue", 0750, queue, qmail, e) &&
	       make_directory("queue/journal", 0700, queue, qmail, e) &&
	       make_directory("queue/body", 0700, queue, qmail, e) &&
	       make_directory("queue/lock", 0750, queue, qmail, e);
}

static bool listen_one(const struct start *s, const struct service_socket *row, int *fd, struct err *e)
{
	struct stat st;
	char path[64];

	snprintf(path, sizeof path, "run/%s", row->name);
	/* We have the lock: whoever answers there is on its way out. */
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);
	if (!unixsock_listen(path, row->kind, row->mode, fd, e))
		return false;
	if (row->owner != ACCOUNT_COUNT && s->accounts.separated &&
	    chown(path, s->accounts.uid[row->owner], s->accounts.gid_qmail) == -1)
		return err_sys(e, errno, "unable to set the owner of %s/%s", home_path(), path);
	return true;
}

static bool listen_all(struct start *s, struct err *e)
{
	for (int i = 0; i < SERVICES; i++)
		for (int k = 0; k < SERVICE_SOCKETS; k++) {
			const struct service_socket *row = &service_rows[i].sockets[k];

			s->sockets[i][k] = -1;
			if (row->name && !listen_one(s, row, &s->sockets[i][k], e))
				return false;
		}
	return true;
}

bool start_lock(struct start *s, struct err *e)
{
	return make_directory("run", 0755, getuid(), s->accounts.separated ? s->accounts.gid_qmail : getgid(), e) &&
	       take_lock(s, e);
}

bool start_prepare(struct start *s, struct err *e)
{
	return make_directories(s, e) && listen_all(s, e);
}
