#include "sys/home.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#ifndef QMAIL_HOME
#define QMAIL_HOME "/var/qmail"
#endif

static struct {
	int fd;
	char path[PATH_MAX];
	char bin[PATH_MAX];
} home = { .fd = -1 };

/* The directory of the running program; AT_EXECFN needs no /proc. */
static void find_bin(void)
{
	unsigned long v = getauxval(AT_EXECFN);
	char real[PATH_MAX], *slash;
	const char *name;

	memcpy(&name, &v, sizeof name);
	if (name == NULL || realpath(name, real) == NULL)
		return;
	slash = strrchr(real, '/');
	if (slash == NULL)
		return;
	*slash = 0;
	memcpy(home.bin, real, strlen(real) + 1);
}

bool home_open(struct err *e)
{
	const char *path = getenv("QMAILHOME");
	int fd;

	if (home.fd != -1)
		return true;
	if (path == NULL || *path == 0)
		path = QMAIL_HOME;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return err_sys(e, errno, "unable to open the home directory %s", path);
	/* Standard descriptors that were closed by the caller must not become the home. */
	if (fd <= 2) {
		int high = fcntl(fd, F_DUPFD_CLOEXEC, 3);

		close(fd);
		fd = high;
		if (fd == -1)
			return err_sys(e, errno, "unable to open the home directory %s", path);
	}
	if (realpath(path, home.path) == NULL) {
		err_sys(e, errno, "unable to find the home directory %s", path);
		close(fd);
		return false;
	}
	home.fd = fd;
	/* A relative home would mean something else to programs started from another directory. */
	if (getenv("QMAILHOME") && *getenv("QMAILHOME") != '/')
		setenv("QMAILHOME", home.path, 1);
	find_bin();
	return true;
}

int home_dir(void)
{
	return home.fd;
}

const char *home_path(void)
{
	return home.path;
}

bool home_enter(struct err *e)
{
	if (!home_open(e))
		return false;
	if (fchdir(home.fd) == -1)
		return err_sys(e, errno, "unable to switch to %s", home.path);
	return true;
}

const char *home_program(const char *name)
{
	static char path[PATH_MAX];

	if (*home.bin) {
		if ((size_t)snprintf(path, sizeof path, "%s/%s", home.bin, name) < sizeof path &&
		    access(path, X_OK) == 0)
			return path;
	}
	if ((size_t)snprintf(path, sizeof path, "%s/bin/%s", home.path, name) >= sizeof path)
		return name;
	return path;
}
