#include "tlsrelay/tlsfiles.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/io.h"
#include "tls/tlskey.h"

#define PASSWORD_FD 3

static bool add_at(int dir, const char *name, struct buf *pem)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC), saved;
	bool ok = fd != -1 && io_read_rest(fd, pem);

	saved = errno;
	close(fd);
	errno = saved;
	return ok;
}

bool tlsfiles_add(const char *path, struct buf *pem, struct err *e)
{
	return add_at(AT_FDCWD, path, pem) || err_sys(e, errno, "unable to read %s", path);
}

static bool is_file(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, 0) == 0 && S_ISREG(st.st_mode);
}

bool tlsfiles_add_directory(const char *path, struct buf *pem, struct err *e)
{
	DIR *d = opendir(path);
	bool ok = d != NULL;

	for (struct dirent *entry; ok && (entry = readdir(d)) != NULL;)
		if (is_file(dirfd(d), entry->d_name)) {
			ok = add_at(dirfd(d), entry->d_name, pem);
			buf_addc(pem, '\n');
		}
	if (!ok)
		err_sys(e, errno, "unable to read %s", path);
	if (d)
		closedir(d);
	return ok;
}

static bool read_password(struct buf *password, struct err *e)
{
	bool ok = io_read_rest(PASSWORD_FD, password);

	if (!ok)
		err_sys(e, errno, "unable to read the password of the key from descriptor 3");
	close(PASSWORD_FD);
	password->n = str_chr(buf_str(password), 0);
	return ok;
}

bool tlsfiles_open_key(struct buf *pem, struct err *e)
{
	struct buf password = BUF_INIT(4096);
	bool ok = read_password(&password, e) && tlskey_open(pem, buf_str(&password), e);

	buf_free_secret(&password);
	return ok;
}

const char *tlsfiles_setting(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}
