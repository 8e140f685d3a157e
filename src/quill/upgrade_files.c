/* upgrade_files: what is text in a qmail's home: control/, users/, alias/, start scripts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "conf/control.h"
#include "conf/controls.h"
#include "conf/foreigncontrols.h"
#include "local/dotqmail.h"
#include "quill/upgrade_report.h"
#include "sys/home.h"
#include "upgrade/foreignprograms.h"
#include "upgrade/scriptcheck.h"
#include "users/assign.h"

#define PATH_BYTES 4096
#define OLD_CONCURRENCY 120 /* what a spawner allows without a word, as it is compiled */

/* ---- control/ ---------------------------------------------------------------------------------------- */

/* What is worth saying about a file that both know; NULL: nothing. */
static const char *known_but(const struct controls_file *f)
{
	struct err ignored;
	uint64_t n = 0;

	if (strncmp(f->name, "concurrency", 11) == 0 && f->kind == CONTROLS_NUMBER && !f->ours &&
	    control_number(f->name, &n, &ignored) && n > OLD_CONCURRENCY)
		return "qmail, as it is usually compiled, starts no more than 120; here the number counts";
	if (strcmp(f->name, "servercert.pem") == 0 && strstr(f->readers, "qmail-smtpd") == NULL)
		return "the TLS patch's qmail-smtpd offers STARTTLS with it; here POP3 does";
	return NULL;
}

static void say_control(struct upgrade_report *r, const char *name)
{
	const struct controls_file *ours = controls_find(name);
	const struct foreigncontrol *theirs = foreigncontrols_find(name);
	const char *but = ours ? known_but(ours) : NULL;
	struct str n = str_of(name);

	if (ours)
		upgrade_say(r, but ? VERDICT_DIFFERS : VERDICT_USED, "control", n, "%s", but ? but : "");
	else if (theirs && theirs->own_program)
		upgrade_say(r, VERDICT_USED, "control", n, "not by this mail system, but by %s as before",
			    theirs->reader);
	else if (theirs)
		upgrade_say(r, VERDICT_IGNORED, "control", n, "read by %s%s%s", theirs->reader,
			    *theirs->instead ? "; here: " : "", theirs->instead);
	else
		upgrade_say(r, VERDICT_IGNORED, "control", n, "unknown: no program of qmail's or of ours reads it");
}

void upgrade_control(struct upgrade_report *r)
{
	struct upgrade_names names = { 0 };

	if (!upgrade_names(&names, "control"))
		upgrade_say(r, VERDICT_DIFFERS, "", STR("control"), "cannot be read: call this as root");
	for (size_t i = 0; i < names.n; i++)
		say_control(r, names.items[i]);
	upgrade_names_free(&names);
	if (access("control/me", F_OK) == -1)
		upgrade_say(r, VERDICT_DIFFERS, "control", STR("me"),
			    "does not exist: write the machine's full name to it");
	if (access("control/rcpthosts", F_OK) == -1)
		upgrade_say(
		    r, VERDICT_DIFFERS, "control", STR("rcpthosts"),
		    "does not exist: qmail relays for everybody then, and ours takes mail for local and virtual "
		    "domains");
}

/* ---- users/ -------------------------------------------------------------------------------------------- */

static void say_assign(struct upgrade_report *r)
{
	struct buf text;
	struct str rest;
	struct assign_line line;
	enum assign_result result;
	struct stat assign, cdb;

	if (!upgrade_read("users/assign", &text)) {
		upgrade_say(r, VERDICT_DIFFERS, "users", STR("assign"), "cannot be read here");
		return;
	}
	rest = buf_str(&text);
	while ((result = assign_next(&rest, &line)) == ASSIGN_LINE)
		;
	if (result == ASSIGN_BAD)
		upgrade_say(r, VERDICT_DIFFERS, "users", STR("assign"),
			    "qmail-newu does not take it, as qmail's would not");
	else if (stat("users/cdb", &cdb) == -1)
		upgrade_say(r, VERDICT_IGNORED, "users", STR("assign"),
			    "without users/cdb, as with qmail: qmail-newu makes it");
	else if (stat("users/assign", &assign) == 0 && assign.st_mtime > cdb.st_mtime)
		upgrade_say(r, VERDICT_USED, "users", STR("assign"),
			    "it is newer than users/cdb, which counts: run qmail-newu");
	else
		upgrade_say(r, VERDICT_USED, "users", STR("assign"), "%s", "");
	buf_free(&text);
}

void upgrade_users(struct upgrade_report *r)
{
	static const char *const used[] = { "cdb",      "include", "exclude",         "mailnames",
					    "subusers", "append",  "mailboxes.sqlite" };
	struct upgrade_names names = { 0 };

	upgrade_names(&names, "users");
	for (size_t i = 0; i < names.n; i++) {
		bool known = false;

		if (strcmp(names.items[i], "assign") == 0) {
			say_assign(r);
			continue;
		}
		for (size_t k = 0; k < sizeof used / sizeof *used; k++)
			known |= strcmp(names.items[i], used[k]) == 0;
		upgrade_say(r, known ? VERDICT_USED : VERDICT_IGNORED, "users", str_of(names.items[i]), "%s",
			    known ? "" : "no program of qmail's or of ours reads it");
	}
	upgrade_names_free(&names);
}

/* ---- alias/ --------------------------------------------------------------------------------------------- */

/* The program of a .qmail line, as far as it is there: its path. */
static struct str program_of(struct str command)
{
	size_t n = 0;

	command = str_trim_start(command);
	while (n < command.n && command.p[n] != ' ' && command.p[n] != '\t')
		n++;
	return str_head(command, n);
}

/* True: something was said. */
static bool say_program(struct upgrade_report *r, struct str file, struct str program)
{
	const struct foreignprogram *foreign = foreignprograms_find(str_from(program, str_rchr(program, '/') + 1));
	char path[PATH_BYTES];

	if (program.n == 0 || *program.p != '/' || program.n >= sizeof path)
		return false;
	snprintf(path, sizeof path, "%.*s", STR_ARG(program));
	if (foreign && foreign->verdict != VERDICT_USED) {
		upgrade_say(r, VERDICT_DIFFERS, "alias", file, "runs %s: %s", path, foreign->text);
		return true;
	}
	if (access(path, F_OK) == 0 || strpbrk(path, "$'\"`") != NULL)
		return false;
	upgrade_say(r, VERDICT_DIFFERS, "alias", file, "runs %s, which does not exist", path);
	return true;
}

static void say_dotfile(struct upgrade_report *r, const char *name)
{
	char path[PATH_BYTES];
	struct dotqmail_line line;
	struct dotqmail d;
	struct buf text;
	bool said = false;

	snprintf(path, sizeof path, "alias/%s", name);
	if (!upgrade_read(path, &text)) {
		upgrade_say(r, VERDICT_DIFFERS, "alias", str_of(name), "cannot be read here");
		return;
	}
	d = dotqmail_begin(buf_str(&text), false);
	while (!said && (line = dotqmail_next(&d)).kind != DOTQMAIL_END) {
		if (line.kind == DOTQMAIL_BLANK_FIRST || line.kind == DOTQMAIL_NUL)
			break;
		if (line.kind == DOTQMAIL_PROGRAM)
			said = say_program(r, str_of(name), program_of(line.text));
	}
	if (!said)
		upgrade_say(r, VERDICT_USED, "alias", str_of(name), "%s", "");
	buf_free(&text);
}

void upgrade_alias(struct upgrade_report *r)
{
	struct upgrade_names names = { .hidden = true };

	upgrade_names(&names, "alias");
	for (size_t i = 0; i < names.n; i++)
		if (strncmp(names.items[i], ".qmail", 6) == 0)
			say_dotfile(r, names.items[i]);
	upgrade_names_free(&names);
}

/* ---- scripts ------------------------------------------------------------------------------------------ */

struct reading {
	struct upgrade_report *r;
	const char *path;
	bool any;
};

static void say_finding(void *ctx, enum verdict v, struct str name, const char *text)
{
	struct reading *reading = ctx;

	reading->any = true;
	upgrade_say(reading->r, v, "", str_of(reading->path), "%.*s: %s", STR_ARG(str_head(name, 100)), text);
}

static void read_file(struct upgrade_report *r, const char *path,
		      void (*look)(struct str text, verdict_given *each, void *ctx))
{
	struct reading reading = { .r = r, .path = path };
	struct buf text;

	if (access(path, F_OK) == -1)
		return;
	if (upgrade_read(path, &text)) {
		look(buf_str(&text), say_finding, &reading);
		if (!reading.any)
			upgrade_say(r, VERDICT_USED, "", str_of(path), "%s", "");
		buf_free(&text);
	} else {
		upgrade_say(r, VERDICT_DIFFERS, "", str_of(path), "cannot be read here");
	}
}

void upgrade_script(struct upgrade_report *r, const char *path)
{
	read_file(r, path, scriptcheck);
}

void upgrade_rules(struct upgrade_report *r, const char *path)
{
	read_file(r, path, scriptcheck_rules);
}

void upgrade_services(struct upgrade_report *r, const char *directory)
{
	struct upgrade_names names = { 0 };
	char path[PATH_BYTES];

	upgrade_names(&names, directory);
	for (size_t i = 0; i < names.n; i++) {
		snprintf(path, sizeof path, "%s/%s/run", directory, names.items[i]);
		upgrade_script(r, path);
		snprintf(path, sizeof path, "%s/%s/log/run", directory, names.items[i]);
		upgrade_script(r, path);
	}
	upgrade_names_free(&names);
}
