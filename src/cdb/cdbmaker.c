#include "cdb/cdbmaker.h"

#include <cdb.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/mem.h"
#include "sys/file.h"

/* The part of path behind its last slash. */
static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int open_parent(int dirfd, const char *path)
{
	size_t n = (size_t)(base_name(path) - path);
	char *parent = n ? mem_copy((struct str){ path, n }) : mem_copy(STR("."));
	int fd = file_open_dir(dirfd, parent);

	free(parent);
	return fd;
}

static void release(struct cdbmaker *m)
{
	if (m->fd != -1)
		file_close(m->fd);
	if (m->dirfd != -1)
		file_close(m->dirfd);
	if (m->tmpdirfd != -1)
		file_close(m->tmpdirfd);
	free(m->path);
	free(m->tmp);
	free(m->make);
	*m = (struct cdbmaker){ .dirfd = -1, .tmpdirfd = -1, .fd = -1 };
}

bool cdbmaker_start(struct cdbmaker *m, int dirfd, const char *path, const char *tmp, mode_t mode, struct err *e)
{
	*m = (struct cdbmaker){ .dirfd = -1, .tmpdirfd = open_parent(dirfd, tmp), .fd = -1 };
	if (m->tmpdirfd == -1)
		return err_sys(e, errno, "unable to create %s", tmp);
	m->dirfd = open_parent(dirfd, path);
	if (m->dirfd == -1) {
		err_sys(e, errno, "unable to open the directory of %s", path);
		release(m);
		return false;
	}
	m->path = mem_copy(str_of(base_name(path)));
	m->tmp = mem_copy(str_of(base_name(tmp)));
	file_unlink(m->tmpdirfd, m->tmp);
	m->fd = file_open(m->tmpdirfd, m->tmp, O_RDWR | O_CREAT | O_EXCL, mode);
	if (m->fd == -1) {
		err_sys(e, errno, "unable to create %s", tmp);
		release(m);
		return false;
	}
	m->make = mem_zero(1, sizeof *m->make);
	if (cdb_make_start(m->make, m->fd) == -1) {
		err_sys(e, errno, "unable to write %s", tmp);
		cdbmaker_cancel(m);
		return false;
	}
	return true;
}

bool cdbmaker_add(struct cdbmaker *m, struct str key, struct str value, struct err *e)
{
	if (key.n > UINT32_MAX || value.n > UINT32_MAX)
		return err_perm(e, "%s: a record is too long", m->tmp);
	if (cdb_make_add(m->make, key.p, (unsigned)key.n, value.p, (unsigned)value.n) == -1)
		return err_sys(e, errno, "unable to write %s", m->tmp);
	return true;
}

static bool put_in_place(struct cdbmaker *m, struct err *e)
{
	if (file_sync(m->fd) == -1)
		return err_sys(e, errno, "unable to write %s", m->tmp);
	if (file_rename(m->tmpdirfd, m->tmp, m->dirfd, m->path) == -1)
		return err_sys(e, errno, "unable to move %s to %s", m->tmp, m->path);
	return file_sync_dir(m->dirfd) == 0 || err_sys(e, errno, "unable to write %s", m->path);
}

bool cdbmaker_finish(struct cdbmaker *m, struct err *e)
{
	int r = cdb_make_finish(m->make), errnum = errno;
	bool ok;

	/* libcdb has freed its tables, whatever it returned. */
	free(m->make);
	m->make = NULL;
	ok = r == 0 ? put_in_place(m, e) : err_sys(e, errnum, "unable to write %s", m->tmp);
	if (!ok) {
		cdbmaker_cancel(m);
		return false;
	}
	release(m);
	return true;
}

void cdbmaker_cancel(struct cdbmaker *m)
{
	/* There is no call to give up: finishing frees libcdb's tables, and the file goes away below. */
	if (m->make)
		cdb_make_finish(m->make);
	if (m->tmp && m->tmpdirfd != -1)
		file_unlink(m->tmpdirfd, m->tmp);
	release(m);
}
