#include "sys/file.h"
#include "sys/dirlist.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Repeats a system call while signals interrupt it. */
#define RETRY(expr)                                 \
	({                                          \
		__typeof__(expr) r_;                \
		do                                  \
			r_ = (expr);                \
		while (r_ == -1 && errno == EINTR); \
		r_;                                 \
	})

int file_open_dir(int dirfd, const char *path)
{
	return RETRY(openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

int file_open(int dirfd, const char *path, int flags, mode_t mode)
{
	return RETRY(openat(dirfd, path, flags | O_CLOEXEC | O_NOFOLLOW, mode));
}

int file_close(int fd)
{
	/* EINTR on Linux means closed. */
	int r = close(fd);

	return r == -1 && errno == EINTR ? 0 : r;
}

int file_write_at(int fd, const void *data, size_t n, uint64_t offset)
{
	const char *p = data;

	while (n) {
		ssize_t r = RETRY(pwrite(fd, p, n, (off_t)offset));

		if (r < 0)
			return -1;
		if (r == 0) {
			errno = ENOSPC;
			return -1;
		}
		p += r;
		n -= (size_t)r;
		offset += (uint64_t)r;
	}
	return 0;
}

ssize_t file_read_at(int fd, void *data, size_t n, uint64_t offset)
{
	char *p = data;
	size_t got = 0;

	while (got < n) {
		ssize_t r = RETRY(pread(fd, p + got, n - got, (off_t)(offset + got)));

		if (r < 0)
			return -1;
		if (r == 0)
			break;
		got += (size_t)r;
	}
	return (ssize_t)got;
}

int file_append(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n) {
		ssize_t r = RETRY(write(fd, p, n));

		if (r < 0)
			return -1;
		if (r == 0) {
			errno = ENOSPC;
			return -1;
		}
		p += r;
		n -= (size_t)r;
	}
	return 0;
}

int64_t file_size(int fd)
{
	struct stat st;

	return fstat(fd, &st) == -1 ? -1 : (int64_t)st.st_size;
}

int file_reserve(int fd, uint64_t size)
{
	int r = RETRY(fallocate(fd, 0, 0, (off_t)size));

	/* Where the file system cannot promise space, the length alone has to do. */
	if (r == -1 && (errno == EOPNOTSUPP || errno == ENOSYS))
		return file_truncate(fd, size);
	return r;
}

int file_truncate(int fd, uint64_t size)
{
	return RETRY(ftruncate(fd, (off_t)size));
}

int file_sync_data(int fd)
{
	return RETRY(fdatasync(fd));
}

int file_sync(int fd)
{
	return RETRY(fsync(fd));
}

int file_sync_dir(int dirfd)
{
	return RETRY(fsync(dirfd));
}

int file_sync_all(int dirfd)
{
	return RETRY(syncfs(dirfd));
}

int file_rename(int fromdir, const char *from, int todir, const char *to)
{
	return RETRY(renameat(fromdir, from, todir, to));
}

int file_link(int fromdir, const char *from, int todir, const char *to)
{
	return RETRY(linkat(fromdir, from, todir, to, 0));
}

int file_link_unnamed(int fd, int todir, const char *to)
{
	char path[32];

	/* AT_EMPTY_PATH wants a capability on older kernels, the other way wants /proc. */
	if (linkat(fd, "", todir, to, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno == EEXIST)
		return -1;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return RETRY(linkat(AT_FDCWD, path, todir, to, AT_SYMLINK_FOLLOW));
}

int file_unlink(int dirfd, const char *path)
{
	return RETRY(unlinkat(dirfd, path, 0));
}

int file_make_dir(int dirfd, const char *path, mode_t mode)
{
	return RETRY(mkdirat(dirfd, path, mode));
}

struct listing {
	bool (*each)(void *ctx, const char *name);
	void *ctx;
};

static bool each_name(void *ctx, const char *name, enum dirlist_kind kind)
{
	const struct listing *l = ctx;

	(void)kind;
	return l->each(l->ctx, name);
}

int file_list(int dirfd, bool (*each)(void *ctx, const char *name), void *ctx)
{
	struct listing l = { each, ctx };

	return dirlist(dirfd, each_name, &l);
}
