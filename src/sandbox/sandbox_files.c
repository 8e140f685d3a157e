/*
 * sandbox_files: which files, by Landlock (Linux 5.13 and later).
 *
 * The C library has no wrappers and the header may be older than the kernel:
 * the few numbers needed are here.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/sandbox_internal.h"
#include "sys/home.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

#define ASK_VERSION 1u
#define RULE_PATH_BENEATH 1

#define FS_READ_FILE (UINT64_C(1) << 2)
#define FS_READ_DIR (UINT64_C(1) << 3)
#define FS_READ (FS_READ_FILE | FS_READ_DIR)
/* Write files; remove and make files and directories. No devices, sockets, pipes or links are ever made. */
#define FS_WRITE (UINT64_C(1) << 1 | UINT64_C(1) << 4 | UINT64_C(1) << 5 | UINT64_C(1) << 7 | UINT64_C(1) << 8)
#define FS_REFER (UINT64_C(1) << 13)    /* version 2: rename and link between directories */
#define FS_TRUNCATE (UINT64_C(1) << 14) /* version 3 */

/* All rights that a version knows: what is handled and not granted is denied. */
static const uint64_t fs_known[] = { 0, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff };
#define NET_KNOWN 3u   /* version 4: bind and connect TCP */
#define SCOPE_KNOWN 3u /* version 6: abstract Unix sockets and signals of others */

struct ruleset {
	uint64_t fs, net, scope;
};

struct beneath {
	uint64_t access;
	int32_t fd;
} __attribute__((packed));

struct files {
	int fd;
	struct ruleset handled;
	struct err *e;
};

static uint64_t granted(const struct files *f, enum sandbox_access access)
{
	uint64_t rights = FS_READ;

	if (access == SANDBOX_WRITE)
		rights |= FS_WRITE | FS_REFER | FS_TRUNCATE;
	return rights & f->handled.fs;
}

static bool add(struct files *f, int dirfd, const char *path, enum sandbox_access access)
{
	struct beneath rule = { .access = granted(f, access) };
	bool ok;

	rule.fd = openat(dirfd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rule.fd == -1)
		/* What is not there, or cannot be reached by this user, needs no rule. */
		return true;
	ok = syscall(SYS_landlock_add_rule, f->fd, RULE_PATH_BENEATH, &rule, 0) == 0 ||
	     err_sys(f->e, errno, "unable to keep access to %s", path);
	close(rule.fd);
	return ok;
}

/*
 * Where a link in a permitted directory leads to. The directory of a file
 * counts, since files are replaced by renaming: control/me -> /etc/mailname.
 */
static bool add_target(struct files *f, int dirfd, const char *name, enum sandbox_access access)
{
	char link[PATH_MAX];
	ssize_t n = readlinkat(dirfd, name, link, sizeof link - 1);
	struct stat st;
	char *slash;

	if (n <= 0)
		return true;
	link[n] = 0;
	if (fstatat(dirfd, name, &st, 0) == 0 && S_ISDIR(st.st_mode))
		return add(f, dirfd, name, access);
	slash = strrchr(link, '/');
	if (slash == NULL)
		return true;
	slash[slash == link] = 0;
	return add(f, dirfd, link, access);
}

static bool add_links(struct files *f, const char *path, enum sandbox_access access)
{
	int fd = openat(home_dir(), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	bool ok = true;

	if (dir == NULL) {
		if (fd != -1)
			close(fd);
		return true;
	}
	for (struct dirent *d; ok && (d = readdir(dir)) != NULL;)
		if (d->d_type == DT_LNK || d->d_type == DT_UNKNOWN)
			ok = add_target(f, fd, d->d_name, access);
	closedir(dir);
	return ok;
}

static bool add_all(struct files *f, const struct sandbox_rights *r)
{
	for (int i = 0; i < SANDBOX_PATHS_MAX && r->paths[i].path; i++) {
		const struct sandbox_path *p = &r->paths[i];

		if (!add(f, home_dir(), p->path, p->access))
			return false;
		/* Links in other people's directories lead to everywhere. */
		if (*p->path != '/' && !add_links(f, p->path, p->access))
			return false;
	}
	return true;
}

/* Which of the version's abilities to use, and how long the structure is that it knows. */
static size_t choose(long version, const struct sandbox_rights *r, struct ruleset *handled)
{
	*handled = (struct ruleset){ .fs = fs_known[version > 5 ? 5 : version] };
	if (version >= 4 && !(r->may & SANDBOX_INTERNET))
		handled->net = NET_KNOWN;
	if (version >= 6)
		handled->scope = SCOPE_KNOWN;
	return sizeof(uint64_t) * (version >= 6 ? 3 : version >= 4 ? 2 : 1);
}

bool sandbox_limit_files(const struct sandbox_rights *r, bool *missing, struct err *e)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, ASK_VERSION);
	struct files f = { .e = e };
	size_t size;
	bool ok;

	/* Version 1 forbids all renames between directories, which the queue does. */
	*missing = version < 1 || (version == 1 && sandbox_writes(r));
	if (*missing)
		return true;
	size = choose(version, r, &f.handled);
	f.fd = (int)syscall(SYS_landlock_create_ruleset, &f.handled, size, 0);
	if (f.fd == -1)
		return err_sys(e, errno, "unable to make Landlock rules");
	ok = add_all(&f, r) && (syscall(SYS_landlock_restrict_self, f.fd, 0) == 0 ||
				err_sys(e, errno, "unable to put Landlock rules in force"));
	close(f.fd);
	return ok;
}
