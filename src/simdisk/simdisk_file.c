/* simdisk_file: the functions of sys/file.h on the simulated disk. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "simdisk/simdisk_internal.h"
#include "sys/file.h"

static struct inode *inode_at(size_t i)
{
	return &simdisk_disk()->inodes[i];
}

static struct inode *inode_of(int fd)
{
	struct handle *h = simdisk_get(fd);

	return h ? inode_at(h->inode) : NULL;
}

/* ---- paths ------------------------------------------------------------------------------------ */

/* The inode in which a path starts, or SIMDISK_NOTHING with errno. */
static size_t start_of(int dirfd, const char *path)
{
	struct handle *h;

	simdisk_disk();
	if (dirfd == AT_FDCWD || *path == '/')
		return SIMDISK_ROOT;
	h = simdisk_get(dirfd);
	return h ? h->inode : SIMDISK_NOTHING;
}

/*
 * Walks to the directory of the path's last component, which is copied to
 * `last` (empty: the path is the directory itself).
 */
static size_t walk(int dirfd, const char *path, char last[SIMDISK_NAME_MAX])
{
	size_t dir = start_of(dirfd, path);

	*last = 0;
	while (dir != SIMDISK_NOTHING) {
		size_t n;

		if (!inode_at(dir)->is_dir) {
			errno = ENOTDIR;
			return SIMDISK_NOTHING;
		}
		path += strspn(path, "/");
		n = strcspn(path, "/");
		if (n == 0)
			return dir;
		if (n >= SIMDISK_NAME_MAX) {
			errno = ENAMETOOLONG;
			return SIMDISK_NOTHING;
		}
		if (n == 1 && *path == '.') {
			path += n;
			continue;
		}
		memcpy(last, path, n);
		last[n] = 0;
		path += n;
		if (path[strspn(path, "/")] == 0)
			return dir;
		dir = simdisk_find(&inode_at(dir)->names, last);
		*last = 0;
		if (dir == SIMDISK_NOTHING)
			errno = ENOENT;
	}
	return SIMDISK_NOTHING;
}

static size_t look_up(size_t dir, const char *last)
{
	size_t i;

	if (dir == SIMDISK_NOTHING || *last == 0)
		return dir;
	i = simdisk_find(&inode_at(dir)->names, last);
	if (i == SIMDISK_NOTHING)
		errno = ENOENT;
	return i;
}

static struct change change_of(int kind, size_t dir, const char *name, size_t inode)
{
	struct change c = { .kind = (unsigned)kind == ADD ? ADD : REMOVE, .dir = dir, .inode = inode };

	snprintf(c.name, sizeof c.name, "%s", name);
	return c;
}

/* ---- opening ---------------------------------------------------------------------------------- */

int file_open_dir(int dirfd, const char *path)
{
	char last[SIMDISK_NAME_MAX];
	size_t i;

	if (simdisk_ask(SIMDISK_OPEN) != GO)
		return -1;
	i = look_up(walk(dirfd, path, last), last);
	if (i == SIMDISK_NOTHING)
		return -1;
	if (!inode_at(i)->is_dir) {
		errno = ENOTDIR;
		return -1;
	}
	return simdisk_handle(i, false);
}

static int resize(struct inode *f, uint64_t size)
{
	if (!simdisk_fits(f, size))
		return -1;
	simdisk_grow(f, size);
	if (size < f->size) {
		uint64_t from = size / SIMDISK_SECTOR, to = (f->size + SIMDISK_SECTOR - 1) / SIMDISK_SECTOR;

		memset(f->now + size, 0, (size_t)(f->size - size));
		memset(f->dirty + from, 1, (size_t)(to - from));
	}
	f->dirty_size |= size != f->size;
	f->size = size;
	return 0;
}

static int create(size_t dir, const char *last, int flags)
{
	enum simdisk_verdict v = simdisk_ask(SIMDISK_CREATE);
	size_t i;

	if (v == FAIL)
		return -1;
	i = simdisk_inode(false);
	if ((flags & O_TMPFILE) != O_TMPFILE) {
		struct change c = change_of(ADD, dir, last, i);

		simdisk_change(&c);
	}
	if (v == LAST)
		errno = EIO;
	return v == LAST ? -1 : simdisk_handle(i, (flags & O_APPEND) != 0);
}

int file_open(int dirfd, const char *path, int flags, mode_t mode)
{
	char last[SIMDISK_NAME_MAX];
	size_t dir, i;

	(void)mode;
	if (simdisk_ask(SIMDISK_OPEN) != GO)
		return -1;
	dir = walk(dirfd, path, last);
	i = look_up(dir, last);
	if ((flags & O_TMPFILE) == O_TMPFILE)
		return i == SIMDISK_NOTHING ? -1 : create(i, "", flags);
	if (i == SIMDISK_NOTHING)
		return dir != SIMDISK_NOTHING && flags & O_CREAT ? create(dir, last, flags) : -1;
	if (flags & O_CREAT && flags & O_EXCL) {
		errno = EEXIST;
		return -1;
	}
	if (inode_at(i)->is_dir && (flags & O_ACCMODE) != O_RDONLY) {
		errno = EISDIR;
		return -1;
	}
	if (flags & O_TRUNC && inode_at(i)->size) {
		enum simdisk_verdict v = simdisk_ask(SIMDISK_TRUNCATE);

		if (v == FAIL)
			return -1;
		resize(inode_at(i), 0);
		if (v == LAST) {
			errno = EIO;
			return -1;
		}
	}
	return simdisk_handle(i, (flags & O_APPEND) != 0);
}

int file_close(int fd)
{
	struct handle *h = simdisk_get(fd);

	/* After the power cut closing must still work: it changes nothing. */
	if (h == NULL)
		return -1;
	h->open = false;
	return 0;
}

/* ---- data ---------------------------------------------------------------------------------------- */

static int put_bytes(struct inode *f, const void *data, size_t n, uint64_t offset)
{
	if (n == 0)
		return 0;
	if (offset + n > f->size && resize(f, offset + n) == -1)
		return -1;
	memcpy(f->now + offset, data, n);
	memset(f->dirty + offset / SIMDISK_SECTOR, 1,
	       (size_t)((offset + n - 1) / SIMDISK_SECTOR - offset / SIMDISK_SECTOR + 1));
	return 0;
}

int file_write_at(int fd, const void *data, size_t n, uint64_t offset)
{
	struct inode *f = inode_of(fd);
	enum simdisk_verdict v;
	int saved;

	if (f == NULL)
		return -1;
	v = simdisk_ask(SIMDISK_WRITE);
	if (v == GO)
		return put_bytes(f, data, n, offset);
	saved = errno;
	if (v == LAST || !simdisk_dead())
		put_bytes(f, data, v == LAST ? n : n / 2, offset);
	errno = saved;
	return -1;
}

int file_append(int fd, const void *data, size_t n)
{
	struct handle *h = simdisk_get(fd);

	if (h == NULL)
		return -1;
	if (h->append)
		h->at = inode_at(h->inode)->size;
	if (file_write_at(fd, data, n, h->at) == -1)
		return -1;
	h->at += n;
	return 0;
}

ssize_t file_read_at(int fd, void *data, size_t n, uint64_t offset)
{
	struct inode *f = inode_of(fd);

	if (f == NULL || simdisk_ask(SIMDISK_READ) != GO)
		return -1;
	if (offset >= f->size || n == 0)
		return 0;
	if (n > f->size - offset)
		n = (size_t)(f->size - offset);
	memcpy(data, f->now + offset, n);
	return (ssize_t)n;
}

int64_t file_size(int fd)
{
	struct inode *f = inode_of(fd);

	return f ? (int64_t)f->size : -1;
}

static int resize_call(int fd, enum simdisk_kind kind, uint64_t size)
{
	struct inode *f = inode_of(fd);
	enum simdisk_verdict v;
	int r;

	if (f == NULL || (v = simdisk_ask(kind)) == FAIL)
		return -1;
	r = kind == SIMDISK_RESERVE && size <= f->size ? 0 : resize(f, size);
	if (v == LAST)
		errno = EIO;
	return v == LAST ? -1 : r;
}

int file_reserve(int fd, uint64_t size)
{
	return resize_call(fd, SIMDISK_RESERVE, size);
}

int file_truncate(int fd, uint64_t size)
{
	return resize_call(fd, SIMDISK_TRUNCATE, size);
}

/* ---- syncing --------------------------------------------------------------------------------------- */

/* The kernel drops what it could not write: the next sync succeeds and writes none of it. */
static void forget_dirty(struct inode *f)
{
	if (f->room)
		memset(f->dirty, 0, (size_t)(f->room / SIMDISK_SECTOR));
	f->dirty_size = false;
}

static void write_back(struct inode *f)
{
	for (uint64_t s = 0; s < f->room / SIMDISK_SECTOR; s++)
		if (f->dirty[s])
			memcpy(f->durable + s * SIMDISK_SECTOR, f->now + s * SIMDISK_SECTOR, SIMDISK_SECTOR);
	if (f->dirty_size)
		f->durable_size = f->size;
	forget_dirty(f);
}

int file_sync_data(int fd)
{
	struct inode *f = inode_of(fd);
	enum simdisk_verdict v;

	if (f == NULL)
		return -1;
	v = simdisk_ask(SIMDISK_SYNC);
	if (v == GO)
		write_back(f);
	else if (v == FAIL && !simdisk_dead())
		forget_dirty(f);
	return v == GO ? 0 : -1;
}

int file_sync(int fd)
{
	return file_sync_data(fd);
}

int file_sync_dir(int dirfd)
{
	struct handle *h = simdisk_get(dirfd);

	if (h == NULL || simdisk_ask(SIMDISK_SYNC_DIR) != GO)
		return -1;
	simdisk_settle(h->inode);
	return 0;
}

/* ---- names ------------------------------------------------------------------------------------------- */

/* Does a change of names if the call may go on. */
static int change_call(enum simdisk_kind kind, const struct change *c)
{
	enum simdisk_verdict v = simdisk_ask(kind);

	if (v == FAIL)
		return -1;
	simdisk_change(c);
	if (v == LAST)
		errno = EIO;
	return v == LAST ? -1 : 0;
}

int file_rename(int fromdir, const char *from, int todir, const char *to)
{
	char last[SIMDISK_NAME_MAX], tolast[SIMDISK_NAME_MAX];
	size_t dir = walk(fromdir, from, last), target = walk(todir, to, tolast);
	struct change c = { .kind = RENAME, .dir = dir, .todir = target };

	if (target == SIMDISK_NOTHING || look_up(dir, last) == SIMDISK_NOTHING)
		return -1;
	snprintf(c.name, sizeof c.name, "%s", last);
	snprintf(c.to, sizeof c.to, "%s", tolast);
	return change_call(SIMDISK_RENAME, &c);
}

static int link_inode(size_t inode, int todir, const char *to)
{
	char last[SIMDISK_NAME_MAX];
	size_t dir = walk(todir, to, last);
	struct change c;

	if (dir == SIMDISK_NOTHING)
		return -1;
	if (simdisk_find(&inode_at(dir)->names, last) != SIMDISK_NOTHING) {
		errno = EEXIST;
		return -1;
	}
	c = change_of(ADD, dir, last, inode);
	return change_call(SIMDISK_LINK, &c);
}

int file_link(int fromdir, const char *from, int todir, const char *to)
{
	char last[SIMDISK_NAME_MAX];
	size_t inode = look_up(walk(fromdir, from, last), last);

	return inode == SIMDISK_NOTHING ? -1 : link_inode(inode, todir, to);
}

int file_link_unnamed(int fd, int todir, const char *to)
{
	struct handle *h = simdisk_get(fd);

	return h ? link_inode(h->inode, todir, to) : -1;
}

int file_unlink(int dirfd, const char *path)
{
	char last[SIMDISK_NAME_MAX];
	size_t dir = walk(dirfd, path, last), inode = look_up(dir, last);
	struct change c;

	if (inode == SIMDISK_NOTHING)
		return -1;
	if (inode_at(inode)->is_dir) {
		errno = EISDIR;
		return -1;
	}
	c = change_of(REMOVE, dir, last, inode);
	return change_call(SIMDISK_UNLINK, &c);
}

int file_make_dir(int dirfd, const char *path, mode_t mode)
{
	char last[SIMDISK_NAME_MAX];
	size_t dir = walk(dirfd, path, last);
	struct change c;

	(void)mode;
	if (dir == SIMDISK_NOTHING)
		return -1;
	if (look_up(dir, last) != SIMDISK_NOTHING) {
		errno = EEXIST;
		return -1;
	}
	c = change_of(ADD, dir, last, simdisk_inode(true));
	return change_call(SIMDISK_MAKE_DIR, &c);
}

int file_list(int dirfd, bool (*each)(void *ctx, const char *name), void *ctx)
{
	struct handle *h = simdisk_get(dirfd);
	struct name *copy;
	size_t n;

	if (h == NULL || simdisk_ask(SIMDISK_LIST) != GO)
		return -1;
	n = inode_at(h->inode)->names.n;
	copy = mem_array(NULL, n, sizeof *copy);
	if (n)
		memcpy(copy, inode_at(h->inode)->names.items, n * sizeof *copy);
	for (size_t i = 0; i < n && each(ctx, copy[i].text); i++)
		;
	free(copy);
	return 0;
}
