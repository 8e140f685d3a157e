/* quill_init: a new home with the smallest configuration that works. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "quill/quill.h"
#include "sys/accounts.h"
#include "sys/io.h"

#define LISTEN_MAX 16

struct wishes {
	const char *dir, *me;
	const char *listen[LISTEN_MAX];
	size_t nlisten;
};

static bool parse(int argc, char **argv, struct wishes *w)
{
	for (int i = 0; i < argc; i++) {
		bool more = i + 1 < argc;

		if (strcmp(argv[i], "--me") == 0 && more)
			w->me = argv[++i];
		else if (strcmp(argv[i], "--smtp") == 0 && more && w->nlisten < LISTEN_MAX)
			w->listen[w->nlisten++] = argv[++i];
		else if (argv[i][0] != '-' && w->dir == NULL)
			w->dir = argv[i];
		else
			return false;
	}
	return w->dir != NULL;
}

static bool make_dir(const char *path, mode_t mode)
{
	if (mkdir(path, mode) == 0 || errno == EEXIST)
		return chmod(path, mode) == 0 || errno == EPERM;
	return false;
}

/* Never overwrites: what an administrator wrote stays. */
static bool write_new(const char *path, struct str text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	bool ok;

	if (fd == -1)
		return errno == EEXIST;
	ok = io_write_all(fd, text.p, text.n) == 0;
	return close(fd) == 0 && ok;
}

static bool write_line(const char *path, struct str line)
{
	struct buf b = BUF_INIT(4096);
	bool ok;

	buf_add(&b, line);
	buf_addc(&b, '\n');
	ok = buf_ok(&b) && write_new(path, buf_str(&b));
	buf_free(&b);
	return ok;
}

/* As config-fast does: a domain of two labels is kept, a longer one loses its first. */
static bool write_names(struct str me)
{
	struct str domain = str_from(me, str_chr(me, '.') + 1), plus;
	size_t dot;

	if (str_chr(domain, '.') == domain.n)
		domain = me;
	dot = str_rchr(me, '.');
	plus = str_from(me, str_rchr(str_head(me, dot), '.') + (str_rchr(str_head(me, dot), '.') < dot ? 1 : 0));
	if (str_rchr(str_head(me, dot), '.') == dot)
		plus = me;
	return write_line("control/me", me) && write_line("control/defaultdomain", domain) &&
	       write_line("control/plusdomain", plus) && write_line("control/locals", me) &&
	       write_line("control/rcpthosts", me);
}

static bool write_listen(const struct wishes *w)
{
	struct buf b = BUF_INIT(4096);
	bool ok;

	for (size_t i = 0; i < w->nlisten; i++)
		buf_addf(&b, "%s\n", w->listen[i]);
	if (w->nlisten == 0)
		buf_addz(&b, "127.0.0.1:2525\n");
	ok = write_new("control/smtplisten", buf_str(&b));
	buf_free(&b);
	return ok;
}

static bool make_tree(void)
{
	static const char *const dirs[] = { "control", "users", "alias", "run", "log" };

	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
		if (!make_dir(dirs[i], 0755))
			return false;
	/* The addresses that every mail system must have (RFC 5321 §4.5.1, RFC 2142). */
	return write_new("alias/.qmail-postmaster", STR("./Maildir/\n")) &&
	       write_new("alias/.qmail-mailer-daemon", STR("./Maildir/\n")) &&
	       write_new("alias/.qmail-root", STR("./Maildir/\n")) && make_dir("alias/Maildir", 0700) &&
	       make_dir("alias/Maildir/tmp", 0700) && make_dir("alias/Maildir/new", 0700) &&
	       make_dir("alias/Maildir/cur", 0700);
}

/* With root and the accounts, alias owns its home. */
static void give_alias_its_home(void)
{
	static const char *const paths[] = { "alias", "alias/Maildir", "alias/Maildir/tmp", "alias/Maildir/new",
					     "alias/Maildir/cur" };
	struct accounts a;
	struct err e;

	if (!accounts_load(&a, &e)) {
		fprintf(stderr, "quill: warning: %s\n", e.text);
		return;
	}
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		if (a.separated && chown(paths[i], a.uid[ACCOUNT_ALIAS], a.gid_nofiles) == -1)
			fprintf(stderr, "quill: warning: unable to give %s to alias\n", paths[i]);
}

int quill_init(int argc, char **argv)
{
	struct wishes w = { 0 };
	char name[256] = "", me[300];

	if (!parse(argc, argv, &w))
		return quill_fail(100, "usage: quill init DIR [--me NAME] [--smtp ADDR:PORT]...");
	if (w.me == NULL) {
		gethostname(name, sizeof name - 1);
		snprintf(me, sizeof me, "%s%s", *name ? name : "localhost", strchr(name, '.') ? "" : ".localdomain");
		w.me = me;
	}
	umask(022);
	if (!make_dir(w.dir, 0755) || chdir(w.dir) == -1)
		return quill_fail(111, "unable to make %s: %s", w.dir, errno_text(errno));
	if (access("control/me", F_OK) == 0)
		return quill_fail(100, "%s is a home already (it has control/me)", w.dir);
	if (!make_tree() || !write_listen(&w) || !write_line("control/defaultdelivery", STR("./Maildir/")) ||
	    !write_names(str_of(w.me)))
		return quill_fail(111, "unable to write in %s: %s", w.dir, errno_text(errno));
	if (getuid() == 0)
		give_alias_its_home();
	printf("%s is the home of %s now; start it with: quill up %s\n", w.dir, w.me, w.dir);
	return 0;
}
