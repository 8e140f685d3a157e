#include "aliases/listfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/mem.h"
#include "sys/file.h"

static int sync_directory_of(const char *path)
{
	size_t slash = str_rchr(str_of(path), '/');
	char *parent = path[slash] ? mem_copy(str_head(str_of(path), slash + 1)) : mem_copy(STR("."));
	int dir = file_open_dir(AT_FDCWD, parent), r = -1;

	free(parent);
	if (dir != -1) {
		r = file_sync_dir(dir);
		file_close(dir);
	}
	return r;
}

bool listfile_replace(const char *path, const char *tmp, struct str content, struct err *e)
{
	int fd = file_open(AT_FDCWD, tmp, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	bool written;

	if (fd == -1)
		return err_sys(e, errno, "unable to create %s", tmp);
	written = file_append(fd, content.p, content.n) == 0 && file_sync(fd) == 0;
	if (file_close(fd) == -1 || !written)
		return err_sys(e, errno, "unable to write %s", tmp);
	if (file_rename(AT_FDCWD, tmp, AT_FDCWD, path) == -1)
		return err_sys(e, errno, "unable to move %s to %s", tmp, path);
	if (sync_directory_of(path) == -1)
		return err_sys(e, errno, "unable to sync the directory of %s", path);
	return true;
}
