#include "classicqueue/classicwrite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/file.h"

#define PATH_BYTES 64
#define NEW_NAME "export." /* and the slot; in pid/ */
#define TCPTO_BYTES 1024

enum owner { OWNER_QUEUE, OWNER_SEND, OWNER_REMOTE };

static bool give(struct classic_out *o, int fd, enum owner owner)
{
	uid_t uid = owner == OWNER_QUEUE ? o->queue_uid : owner == OWNER_SEND ? o->send_uid : o->remote_uid;

	return uid == (uid_t)-1 || fchown(fd, uid, o->gid) == 0;
}

static bool make_dir(struct classic_out *o, const char *name, enum owner owner, mode_t mode, struct err *e)
{
	int fd;
	bool ok;

	if (file_make_dir(o->dir, name, mode) == -1 && errno != EEXIST)
		return err_sys(e, errno, "unable to make %s", name);
	fd = file_open_dir(o->dir, name);
	ok = fd != -1 && give(o, fd, owner);
	if (!ok)
		err_sys(e, errno, "unable to make %s", name);
	if (fd != -1)
		file_close(fd);
	return ok;
}

static bool make_split(struct classic_out *o, const char *name, enum owner owner, mode_t mode, struct err *e)
{
	char path[PATH_BYTES];
	bool ok = make_dir(o, name, owner, mode, e);

	for (uint64_t i = 0; ok && i < o->split; i++) {
		snprintf(path, sizeof path, "%s/%llu", name, (unsigned long long)i);
		ok = make_dir(o, path, owner, mode, e);
	}
	return ok;
}

static bool make_lock(struct classic_out *o, struct err *e)
{
	static const char zeros[TCPTO_BYTES];
	int tcpto = file_open(o->dir, "lock/tcpto", O_RDWR | O_CREAT, 0644), trigger;
	bool ok = tcpto != -1 && give(o, tcpto, OWNER_REMOTE) && file_write_at(tcpto, zeros, sizeof zeros, 0) == 0;

	if (tcpto != -1)
		file_close(tcpto);
	if (mkfifoat(o->dir, "lock/trigger", 0622) == -1 && errno != EEXIST)
		ok = false;
	trigger = openat(o->dir, "lock/trigger", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	ok = ok && trigger != -1 && fchmod(trigger, 0622) == 0 && give(o, trigger, OWNER_SEND);
	if (trigger != -1)
		file_close(trigger);
	o->lock = file_open(o->dir, "lock/sendmutex", O_RDWR | O_CREAT, 0600);
	ok = ok && o->lock != -1 && give(o, o->lock, OWNER_SEND);
	if (!ok)
		return err_sys(e, errno, "unable to make the files in lock");
	return flock(o->lock, LOCK_EX | LOCK_NB) == 0 || err_temp(e, "a qmail-send is running on it; stop it first");
}

static bool make_all(struct classic_out *o, struct err *e)
{
	return make_dir(o, "intd", OWNER_QUEUE, 0700, e) && make_dir(o, "todo", OWNER_QUEUE, 0750, e) &&
	       make_dir(o, "pid", OWNER_QUEUE, 0700, e) && make_dir(o, "lock", OWNER_QUEUE, 0750, e) &&
	       make_dir(o, "bounce", OWNER_SEND, 0700, e) && make_split(o, "mess", OWNER_QUEUE, 0750, e) &&
	       make_split(o, "info", OWNER_SEND, 0700, e) && make_split(o, "local", OWNER_SEND, 0700, e) &&
	       make_split(o, "remote", OWNER_SEND, 0700, e) && make_lock(o, e);
}

struct leftovers {
	int dir;
	bool failed;
};

static bool remove_leftover(void *ctx, const char *name)
{
	struct leftovers *l = ctx;

	if (strncmp(name, NEW_NAME, sizeof NEW_NAME - 1) == 0)
		l->failed |= file_unlink(l->dir, name) == -1 && errno != ENOENT;
	return !l->failed;
}

/* Contents that an export has left which was cut off. */
static bool empty_slots(struct classic_out *o, struct err *e)
{
	struct leftovers l = { .dir = file_open_dir(o->dir, "pid") };
	bool ok = l.dir != -1 && file_list(l.dir, remove_leftover, &l) == 0 && !l.failed;

	if (!ok)
		err_sys(e, errno, "unable to empty pid");
	if (l.dir != -1)
		file_close(l.dir);
	return ok;
}

bool classic_out_open(struct classic_out *o, const char *path, const char *mark, struct err *e)
{
	struct stat st;
	int fd;

	o->lock = -1;
	if (file_make_dir(AT_FDCWD, path, 0750) == -1 && errno != EEXIST)
		return err_sys(e, errno, "unable to make %s", path);
	o->dir = file_open_dir(AT_FDCWD, path);
	if (o->dir == -1)
		return err_sys(e, errno, "unable to open %s", path);
	if (fstatat(o->dir, "mess", &st, 0) == 0 && fstatat(o->dir, mark, &st, 0) == -1) {
		classic_out_close(o);
		return err_perm(e, "%s is a queue already; give a new directory", path);
	}
	/* First of all: whatever is cut off, it is known as ours. */
	fd = file_open(o->dir, mark, O_RDWR | O_CREAT, 0600);
	if (fd == -1)
		err_sys(e, errno, "unable to make %s", mark);
	else
		file_close(fd);
	if (fd != -1 && give(o, o->dir, OWNER_QUEUE) && make_all(o, e) && empty_slots(o, e))
		return true;
	classic_out_close(o);
	return err_context(e, "%s", path);
}

void classic_out_close(struct classic_out *o)
{
	if (o->dir != -1)
		file_close(o->dir);
	if (o->lock != -1)
		file_close(o->lock);
	o->dir = o->lock = -1;
}

/* ---- messages ------------------------------------------------------------------------------- */

static void path_of(const struct classic_out *o, const char *what, uint64_t number, char path[PATH_BYTES])
{
	if (strcmp(what, "bounce") == 0)
		snprintf(path, PATH_BYTES, "bounce/%llu", (unsigned long long)number);
	else
		snprintf(path, PATH_BYTES, "%s/%llu/%llu", what, (unsigned long long)(number % o->split),
			 (unsigned long long)number);
}

static void path_of_slot(size_t slot, char path[PATH_BYTES])
{
	snprintf(path, PATH_BYTES, "pid/" NEW_NAME "%zu", slot);
}

bool classic_out_content(struct classic_out *o, size_t slot, int *fd, uint64_t *number, struct err *e)
{
	char path[PATH_BYTES];
	struct stat st;

	path_of_slot(slot, path);
	if (file_unlink(o->dir, path) == -1 && errno != ENOENT)
		return err_sys(e, errno, "unable to remove %s", path);
	*fd = file_open(o->dir, path, O_RDWR | O_CREAT | O_EXCL | O_APPEND, 0644);
	if (*fd == -1 || fstat(*fd, &st) == -1)
		return err_sys(e, errno, "unable to make %s", path);
	*number = st.st_ino;
	return true;
}

bool classic_out_content_end(struct classic_out *o, int fd, struct err *e)
{
	bool ok = (fchmod(fd, 0644) == 0 && give(o, fd, OWNER_QUEUE)) || err_sys(e, errno, "unable to write a content");

	file_close(fd);
	return ok;
}

bool classic_out_place(struct classic_out *o, size_t slot, uint64_t number, struct err *e)
{
	char from[PATH_BYTES], to[PATH_BYTES];

	path_of_slot(slot, from);
	path_of(o, "mess", number, to);
	return file_rename(o->dir, from, o->dir, to) == 0 || err_sys(e, errno, "unable to make %s", to);
}

bool classic_out_file(struct classic_out *o, const char *what, uint64_t number, struct str bytes, int64_t mtime,
		      struct err *e)
{
	struct timespec times[2] = { { .tv_sec = mtime }, { .tv_sec = mtime } };
	char path[PATH_BYTES];
	int fd;
	bool ok;

	if (bytes.n == 0)
		return true;
	path_of(o, what, number, path);
	fd = file_open(o->dir, path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);
	ok = fd != -1 && give(o, fd, OWNER_SEND) && file_append(fd, bytes.p, bytes.n) == 0 && futimens(fd, times) == 0;
	if (!ok)
		err_sys(e, errno, "unable to write %s", path);
	if (fd != -1)
		file_close(fd);
	return ok;
}

bool classic_out_sync(struct classic_out *o, struct err *e)
{
	return file_sync_all(o->dir) == 0 || err_sys(e, errno, "unable to sync the directory");
}

static bool unlink_one(struct classic_out *o, const char *what, uint64_t number, struct err *e)
{
	char path[PATH_BYTES];

	path_of(o, what, number, path);
	return file_unlink(o->dir, path) == 0 || errno == ENOENT || err_sys(e, errno, "unable to remove %s", path);
}

bool classic_out_hide(struct classic_out *o, uint64_t number, struct err *e)
{
	return unlink_one(o, "info", number, e);
}

bool classic_out_remove(struct classic_out *o, uint64_t number, struct err *e)
{
	return unlink_one(o, "local", number, e) && unlink_one(o, "remote", number, e) &&
	       unlink_one(o, "bounce", number, e) && unlink_one(o, "mess", number, e);
}
