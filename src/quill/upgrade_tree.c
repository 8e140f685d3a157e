/* upgrade_tree: a qmail's programs, its queue, and the accounts. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "classicqueue/classicread.h"
#include "quill/upgrade_report.h"
#include "sys/file.h"
#include "sys/home.h"
#include "upgrade/foreignprograms.h"

#define PATH_BYTES 4096
#define USUAL_SPLIT 23

/* ---- bin/ ------------------------------------------------------------------------------------------------ */

/* Is bin/ where the running programs are? Then they are all ours. */
static bool already_ours(void)
{
	char ours[PATH_BYTES];
	struct stat a, b;

	snprintf(ours, sizeof ours, "%s", home_program("quill"));
	return stat(ours, &a) == 0 && stat("bin/quill", &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Have we a program of that name? Not one that is only found in their bin/. */
static bool have(const char *name)
{
	char theirs[PATH_BYTES];
	const char *found = home_program(name);

	snprintf(theirs, sizeof theirs, "%s/bin/%s", home_path(), name);
	return strcmp(found, theirs) != 0 && access(found, F_OK) == 0;
}

/* What stands in the place of the real program, or NULL. */
static const char *stand_in(const char *name, const char *path)
{
	char to[PATH_BYTES];
	ssize_t n = readlink(path, to, sizeof to - 1);
	struct buf text;
	bool script;

	if (n > 0) {
		to[n] = '\0';
		if (strstr(to, "qmail-qmqpc") != NULL)
			return "is qmail-qmqpc, as on a machine without a queue: make that link again";
		/* Names of one program, such as mailq. */
		return strcmp(name, "qmail-queue") == 0 || strcmp(name, "qmail-remote") == 0
			   ? "is a link to another program: $QMAILQUEUE or $QMAILREMOTE names such a program here"
			   : NULL;
	}
	script = upgrade_read(path, &text) && str_starts(buf_str(&text), STR("#!"));
	buf_free(&text);
	return script && (strcmp(name, "qmail-queue") == 0 || strcmp(name, "qmail-remote") == 0 ||
			  strcmp(name, "qmail-local") == 0 || strcmp(name, "qmail-smtpd") == 0)
		   ? "is a script around the real program: $QMAILQUEUE or $QMAILREMOTE names such a program here"
		   : NULL;
}

static void say_program(struct upgrade_report *r, const char *name)
{
	const struct foreignprogram *foreign = foreignprograms_find(str_of(name));
	char path[PATH_BYTES];
	const char *instead;
	bool ours = have(name);
	struct stat st;

	snprintf(path, sizeof path, "bin/%s", name);
	if (lstat(path, &st) == -1 || S_ISDIR(st.st_mode))
		return;
	instead = ours ? stand_in(name, path) : NULL;
	if (instead)
		upgrade_say(r, VERDICT_DIFFERS, "bin", str_of(name), "%s", instead);
	else if (S_ISREG(st.st_mode) && st.st_mode & (S_ISUID | S_ISGID))
		upgrade_say(r, VERDICT_DIFFERS, "bin", str_of(name), "is set-id; %s",
			    ours ? "ours is not, and needs no more than its socket"
				 : "no program of ours is or needs it: decide whether it stays");
	else if (foreign)
		upgrade_say(r, foreign->verdict, "bin", str_of(name), "%s", foreign->text);
	else if (!ours)
		upgrade_say(r, VERDICT_DIFFERS, "bin", str_of(name),
			    "no program of qmail's or of ours: copy it to the new bin if it is needed");
	else
		upgrade_say(r, VERDICT_USED, "bin", str_of(name), "%s", "");
}

static bool contains(const char *path, struct str text)
{
	struct buf all;
	bool found = upgrade_read(path, &all) && str_find(buf_str(&all), text) < all.n;

	buf_free(&all);
	return found;
}

static void say_which(struct upgrade_report *r)
{
	const char *smtpd = "bin/qmail-smtpd";

	if (contains(smtpd, STR("notqmail.org")))
		upgrade_say(r, VERDICT_USED, "", STR("bin"), "notqmail, by what its qmail-smtpd says");
	else if (contains(smtpd, STR("qmail.org/netqmail")))
		upgrade_say(r, VERDICT_USED, "", STR("bin"), "netqmail, by what its qmail-smtpd says");
	else if (contains(smtpd, STR("pobox.com/~djb/qmail.html")))
		upgrade_say(r, VERDICT_DIFFERS, "", STR("bin"),
			    "qmail 1.03 or a patched one, by what its qmail-smtpd says: $QMAILQUEUE counts here, and "
			    "sendmail -f sets the sender of the header too");
}

void upgrade_bin(struct upgrade_report *r)
{
	struct upgrade_names names = { 0 };

	if (already_ours()) {
		upgrade_say(r, VERDICT_USED, "", STR("bin"), "the programs are ours already");
		return;
	}
	say_which(r);
	upgrade_names(&names, "bin");
	for (size_t i = 0; i < names.n; i++)
		say_program(r, names.items[i]);
	upgrade_names_free(&names);
}

/* ---- queue/ --------------------------------------------------------------------------------------------- */

struct waiting {
	size_t messages, unfinished, finished, unreadable;
	struct err trouble; /* of the first that cannot be read */
};

static void look_at(int dir, uint64_t number, struct waiting *w)
{
	struct classic_message m;
	enum classic_found found;
	struct err e;

	if (!classic_read(dir, number, &m, &found, &e)) {
		if (w->unreadable++ == 0)
			w->trouble = e;
		return;
	}
	w->messages += found == CLASSIC_MESSAGE;
	w->unfinished += found == CLASSIC_UNFINISHED;
	w->finished += found == CLASSIC_FINISHED;
	if (found == CLASSIC_MESSAGE)
		classic_message_free(&m);
}

static void say_waiting(struct upgrade_report *r, const struct waiting *w)
{
	if (w->messages)
		upgrade_say(r, VERDICT_DIFFERS, "queue", STR("mess"),
			    "%zu message%s waiting; our queue is another: quill queue import takes over what waits",
			    w->messages, w->messages == 1 ? "" : "s");
	else
		upgrade_say(r, VERDICT_USED, "queue", STR("mess"), "no message waits, so nothing is to be taken over");
	if (w->unfinished)
		upgrade_say(r, VERDICT_IGNORED, "queue", STR("mess"), "never accepted, and left: %zu", w->unfinished);
	if (w->unreadable)
		upgrade_say(r, VERDICT_DIFFERS, "queue", STR("mess"), "cannot be read: %zu, the first because %s",
			    w->unreadable, w->trouble.text);
}

static void say_form(struct upgrade_report *r)
{
	struct upgrade_names split = { 0 };

	upgrade_names(&split, "queue/mess");
	if (split.n != USUAL_SPLIT)
		upgrade_say(r, VERDICT_USED, "queue", STR("mess"),
			    "conf-split is %zu: going back needs quill queue export --split %zu", split.n, split.n);
	upgrade_names_free(&split);
	if (access("queue/todo/0", F_OK) == 0)
		upgrade_say(r, VERDICT_USED, "queue", STR("todo"), "of the big-todo patch");
}

void upgrade_queue(struct upgrade_report *r)
{
	struct waiting w = { 0 };
	uint64_t *numbers;
	int dir, lock = -1;
	size_t n;
	struct err e;

	if (access("queue/journal", F_OK) == 0)
		upgrade_say(r, VERDICT_USED, "queue", STR("journal"), "a queue of ours");
	if (access("queue/mess", F_OK) == -1) {
		if (errno != ENOENT)
			upgrade_say(r, VERDICT_DIFFERS, "", STR("queue"), "cannot be read here: call this as root");
		return;
	}
	say_form(r);
	if (!classic_open("queue", &dir, &lock, &e)) {
		upgrade_say(r, VERDICT_DIFFERS, "", STR("queue"), "%s", e.text);
		dir = file_open_dir(AT_FDCWD, "queue");
	}
	if (dir != -1 && classic_numbers(dir, &numbers, &n, &e)) {
		for (size_t i = 0; i < n; i++)
			look_at(dir, numbers[i], &w);
		free(numbers);
		say_waiting(r, &w);
	}
	if (dir != -1)
		file_close(dir);
	if (lock != -1)
		file_close(lock);
}

/* ---- accounts ------------------------------------------------------------------------------------------- */

void upgrade_accounts(struct upgrade_report *r)
{
	static const char *const users[] = { "alias", "qmaild", "qmaill", "qmailp", "qmailq", "qmailr", "qmails" };
	struct buf missing = BUF_INIT(1000);

	for (size_t i = 0; i < sizeof users / sizeof *users; i++)
		if (getpwnam(users[i]) == NULL)
			buf_addf(&missing, " %s", users[i]);
	if (missing.n)
		upgrade_say(r, VERDICT_DIFFERS, "", STR("accounts"), "quill setup makes what is missing here:%.*s",
			    STR_ARG(buf_str(&missing)));
	else if (getpwnam("qmailn") == NULL)
		upgrade_say(r, VERDICT_DIFFERS, "", STR("accounts"),
			    "qmail has no qmailn; the resolver is qmailp until quill setup makes it");
	buf_free(&missing);
}
