#include "sys/dirlist.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static enum dirlist_kind kind_of(const struct dirent *entry)
{
	if (entry->d_type == DT_UNKNOWN)
		return DIRLIST_UNKNOWN;
	return entry->d_type == DT_REG ? DIRLIST_REGULAR : DIRLIST_OTHER;
}

/* A descriptor of its own, so that the position of the caller's stays. */
static DIR *open_again(int dirfd)
{
	int fd, saved;
	DIR *dir;

	do
		fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (fd == -1 && errno == EINTR);
	dir = fd == -1 ? NULL : fdopendir(fd);
	if (dir == NULL && fd != -1) {
		saved = errno;
		close(fd);
		errno = saved;
	}
	return dir;
}

int dirlist(int dirfd, bool (*each)(void *ctx, const char *name, enum dirlist_kind kind), void *ctx)
{
	DIR *dir = open_again(dirfd);
	struct dirent *entry;
	int saved;

	if (dir == NULL)
		return -1;
	while (errno = 0, (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (!each(ctx, entry->d_name, kind_of(entry)))
			break;
	}
	saved = entry ? 0 : errno;
	closedir(dir);
	errno = saved;
	return saved ? -1 : 0;
}
