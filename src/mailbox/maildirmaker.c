#include "mailbox/maildirmaker.h"

#include <errno.h>
#include <fcntl.h>

#include "base/buf.h"
#include "sys/file.h"

#define PATH_LIMIT 8192
#define MODE 0700

/* The name is on disk when this returns. */
static bool make_one(const char *path, const char *above, struct err *e)
{
	int fd;
	bool ok;

	if (file_make_dir(AT_FDCWD, path, MODE) == -1)
		return errno == EEXIST || err_sys(e, errno, "unable to mkdir %s", path);
	fd = file_open_dir(AT_FDCWD, above);
	if (fd == -1)
		return err_sys(e, errno, "unable to open %s", above);
	/* Some file systems sync names by themselves and refuse. */
	ok = file_sync_dir(fd) == 0 || errno == EINVAL || errno == ENOTSUP;
	file_close(fd);
	return ok || err_sys(e, errno, "unable to sync %s", above);
}

/* The directory that the n-th byte, a '/', ends, in the one above it. */
static bool make_part(struct str path, size_t n, struct err *e)
{
	struct buf part = BUF_INIT(PATH_LIMIT), above = BUF_INIT(PATH_LIMIT);
	size_t slash = str_rchr(str_head(path, n), '/');
	bool ok;

	buf_add(&part, str_head(path, n));
	if (slash == n)
		buf_addc(&above, '.');
	else
		buf_add(&above, str_head(path, slash ? slash : 1));
	ok = buf_ok(&part) ? make_one(buf_cstr(&part), buf_cstr(&above), e) : err_perm(e, "a path is too long");
	buf_free(&part);
	buf_free(&above);
	return ok;
}

static bool make_parents(struct str path, struct err *e)
{
	for (size_t i = 1; i <= path.n; i++)
		if ((i == path.n || path.p[i] == '/') && path.p[i - 1] != '/' && !make_part(path, i, e))
			return false;
	return true;
}

bool maildir_make(const char *path, struct err *e)
{
	static const char *const parts[] = { "/tmp", "/new", "/cur" };
	struct buf b = BUF_INIT(PATH_LIMIT);
	bool ok = make_parents(str_of(path), e);

	for (size_t i = 0; ok && i < sizeof parts / sizeof *parts; i++) {
		buf_clear(&b);
		buf_addz(&b, path);
		buf_addz(&b, parts[i]);
		ok = make_one(buf_cstr(&b), path, e);
	}
	buf_free(&b);
	return ok;
}
