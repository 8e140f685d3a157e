/*
 * quill_setup: the accounts that the mail system runs as, and the owners of
 * what is installed. What exists stays as it is; --print only shows the
 * commands.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "quill/quill.h"
#include "sys/accounts.h"
#include "sys/file.h"
#include "sys/home.h"

static const char *const groups[] = { "nofiles", "qmail" };

static const struct {
	const char *name, *group, *home;
} users[] = {
	{ "alias", "nofiles", "/alias" }, { "qmaild", "nofiles", "" }, { "qmaill", "nofiles", "" },
	{ "qmailp", "nofiles", "" },      { "qmailn", "nofiles", "" }, { "qmailq", "qmail", "" },
	{ "qmailr", "qmail", "" },        { "qmails", "qmail", "" },
};

/* As mk/layout.sh has it; tests compare. */
static const struct directory {
	const char *path;
	enum account owner; /* ACCOUNT_COUNT: root */
	mode_t mode;
	bool with_files; /* they belong to root too */
} directories[] = {
	{ ".", ACCOUNT_COUNT, 0755, false },        { "bin", ACCOUNT_COUNT, 0755, true },
	{ "boot", ACCOUNT_COUNT, 0755, true },      { "control", ACCOUNT_COUNT, 0755, false },
	{ "doc", ACCOUNT_COUNT, 0755, true },       { "log", ACCOUNT_COUNT, 0755, false },
	{ "man", ACCOUNT_COUNT, 0755, false },      { "man/cat1", ACCOUNT_COUNT, 0755, false },
	{ "man/cat5", ACCOUNT_COUNT, 0755, false }, { "man/cat7", ACCOUNT_COUNT, 0755, false },
	{ "man/cat8", ACCOUNT_COUNT, 0755, false }, { "man/man1", ACCOUNT_COUNT, 0755, true },
	{ "man/man5", ACCOUNT_COUNT, 0755, true },  { "man/man7", ACCOUNT_COUNT, 0755, true },
	{ "man/man8", ACCOUNT_COUNT, 0755, true },  { "run", ACCOUNT_COUNT, 0755, false },
	{ "users", ACCOUNT_COUNT, 0755, false },    { "alias", ACCOUNT_ALIAS, 02755, false },
	{ "queue", ACCOUNT_QUEUE, 0700, false },
};

struct setup {
	bool print;
	int fd;      /* the directory whose files are given away, */
	gid_t group; /* and to which group */
	bool failed; /* one could not be; errno */
};

static bool run_command(const char *const *argv)
{
	int status;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		execvp(argv[0], (char *const *)(const void *)argv);
		fprintf(stderr, "quill: fatal: unable to run %s: %s\n", argv[0], errno_text(errno));
		_exit(111);
	}
	while (pid != -1 && waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	return pid != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Shows a command, and runs it unless it is only to be shown. */
static bool command(const struct setup *s, const char *const *argv)
{
	for (size_t i = 0; argv[i]; i++)
		printf("%s%s", i ? " " : "", argv[i]);
	putchar('\n');
	fflush(stdout);
	return s->print || run_command(argv);
}

static bool make_group(const struct setup *s, const char *name)
{
	const char *const argv[] = { "groupadd", "--system", name, NULL };

	return getgrnam(name) != NULL || command(s, argv);
}

static bool make_user(const struct setup *s, const char *name, const char *group, const char *home)
{
	const char *const argv[] = { "useradd", "--system", "--no-create-home",  "--gid", group, "--home-dir",
				     home,      "--shell",  "/usr/sbin/nologin", name,    NULL };

	return getpwnam(name) != NULL || command(s, argv);
}

static bool make_accounts(const struct setup *s)
{
	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
		if (!make_group(s, groups[i]))
			return false;
	for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
		char home[4096];

		snprintf(home, sizeof home, "%s%s", home_path(), users[i].home);
		if (!make_user(s, users[i].name, users[i].group, home))
			return false;
	}
	return true;
}

static bool give_file(void *ctx, const char *name)
{
	struct setup *s = ctx;
	struct stat st;

	/* Only plain files: a directory of the administrator's stays as it is. */
	if (fstatat(s->fd, name, &st, AT_SYMLINK_NOFOLLOW) == -1 || !S_ISREG(st.st_mode))
		return true;
	s->failed = fchownat(s->fd, name, 0, s->group, AT_SYMLINK_NOFOLLOW) == -1;
	return !s->failed;
}

/* What is not installed is no mistake here. */
static bool give_directory(struct setup *s, const struct directory *d, const struct accounts *a)
{
	uid_t owner = d->owner == ACCOUNT_COUNT ? 0 : a->uid[d->owner];
	bool ok;

	s->fd = openat(home_dir(), d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->fd == -1)
		return errno == ENOENT;
	s->group = a->gid_qmail;
	ok = fchown(s->fd, owner, s->group) == 0 && fchmod(s->fd, d->mode) == 0 &&
	     (!d->with_files || (file_list(s->fd, give_file, s) == 0 && !s->failed));
	close(s->fd);
	return ok;
}

static int give_all(struct setup *s)
{
	struct accounts a;
	struct err e;

	if (!accounts_load(&a, &e))
		return quill_fail(111, "%s", e.text);
	for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
		if (!give_directory(s, &directories[i], &a))
			return quill_fail(111, "%s/%s: unable to change the owner: %s", home_path(),
					  directories[i].path, errno_text(errno));
	return 0;
}

int quill_setup(int argc, char **argv)
{
	struct setup s = { .print = argc > 0 && strcmp(argv[0], "--print") == 0 };
	int code;

	if ((code = quill_choose_home(argc - s.print, argv + s.print)) != 0)
		return code;
	if (!s.print && getuid() != 0)
		return quill_fail(100,
				  "setup makes accounts, which only root may do; with --print it shows the commands");
	if (!make_accounts(&s))
		return quill_fail(111, "an account could not be made; make it by hand as shown, and run this again");
	return s.print ? 0 : give_all(&s);
}
