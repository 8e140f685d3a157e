#include "supervision/svdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int svdir_open(const char *name)
{
	int dir = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC), saved;

	if (dir == -1 || faccessat(dir, ".", X_OK, AT_EACCESS) == 0)
		return dir;
	saved = errno;
	close(dir);
	errno = saved;
	return -1;
}

int svdir_fifo(int dir, const char *name)
{
	char path[32];

	snprintf(path, sizeof path, "supervise/%s", name);
	return openat(dir, path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
}

int svdir_control(int dir)
{
	int fd = svdir_fifo(dir, "control"), saved = errno;

	if (fd == -1 && errno == ENOENT) {
		fd = openat(dir, "svcontrol", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
		errno = fd == -1 && errno == ENOENT ? saved : errno;
	}
	return fd;
}
