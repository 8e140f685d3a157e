/* quill_check: mistakes in the configuration, one line each. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/control.h"
#include "conf/controls.h"
#include "quill/quill.h"
#include "route/destpolicies.h"
#include "sys/accounts.h"
#include "sys/file.h"
#include "sys/home.h"

#define ME_MAX 1000 /* programs allow no more */

struct check {
	unsigned problems;
};

static void problem(struct check *c, const char *what, const char *detail)
{
	printf("problem: %s%s%s\n", what, *detail ? ": " : "", detail);
	c->problems++;
}

static void mailbox_problem(void *ctx, const char *text)
{
	problem(ctx, text, "");
}

static bool readable(const struct controls_file *f, struct err *e)
{
	struct control_list list;
	struct buf line = BUF_INIT(CONTROL_FILE_MAX);
	bool present, ok;

	if (f->kind == CONTROLS_LIST || f->kind == CONTROLS_MAP) {
		ok = control_list_load(f->name, &list, e);
		control_list_free(&list);
		return ok;
	}
	ok = f->kind == CONTROLS_DATABASE || f->kind == CONTROLS_PRESENT || control_line(f->name, &line, &present, e);
	buf_free(&line);
	return ok;
}

static bool is_number(const struct controls_file *f, struct err *e)
{
	struct buf line = BUF_INIT(CONTROL_FILE_MAX);
	struct err ignored;
	bool present, ok = true;

	if (f->kind == CONTROLS_NUMBER && control_line(f->name, &line, &present, &ignored) && line.n &&
	    !chr_digit(line.p[0]))
		ok = err_perm(e, "control/%s does not begin with a digit and is ignored", f->name);
	buf_free(&line);
	return ok;
}

static bool have_me(struct err *e)
{
	struct buf me = BUF_INIT(ME_MAX);
	bool present, ok = control_line("me", &me, &present, e);

	if (ok && (!present || me.n == 0))
		ok = err_perm(e, "control/me is missing or empty; write the host's full name to it");
	buf_free(&me);
	return ok;
}

bool quill_controls_readable(struct err *e)
{
	size_t n;
	const struct controls_file *files = controls_all(&n);

	for (size_t i = 0; i < n; i++)
		if (!readable(&files[i], e))
			return err_context(e, "%s/control", home_path());
	return have_me(e) || err_context(e, "%s", home_path());
}

static bool known_name(void *ctx, const char *name)
{
	struct check *c = ctx;
	char text[300];

	if (controls_find(name) == NULL && name[0] != '.') {
		snprintf(text, sizeof text, "control/%s", name);
		printf("note: I have no idea what %s does\n", text);
		(void)c;
	}
	return true;
}

static void check_destinations(struct check *c)
{
	struct destpolicies policies;
	struct err e;

	if (!destpolicies_load(&policies, &e))
		problem(c, e.text, "");
	destpolicies_free(&policies);
}

static void check_controls(struct check *c)
{
	size_t n;
	const struct controls_file *files = controls_all(&n);
	int dir = file_open_dir(home_dir(), "control");
	struct err e;

	if (dir == -1) {
		problem(c, "control/ cannot be opened", errno_text(errno));
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (!readable(&files[i], &e) || !is_number(&files[i], &e))
			problem(c, e.text, "");
	if (!have_me(&e))
		problem(c, e.text, "");
	check_destinations(c);
	if (access("control/rcpthosts", F_OK) == -1)
		printf("note: without control/rcpthosts only mail for local and virtual domains is accepted\n");
	file_list(dir, known_name, c);
	file_close(dir);
}

static void check_programs(struct check *c)
{
	static const char *const programs[] = { "qmail-start",  "qmail-journal", "qmail-send",  "qmail-lspawn",
						"qmail-rspawn", "qmail-resolve", "qmail-smtpd", "qmail-queue",
						"qmail-inject", "qmail-remote",  "qmail-local" };

	for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
		if (access(home_program(programs[i]), X_OK) == -1)
			problem(c, home_program(programs[i]), errno_text(errno));
}

static void check_queue(struct check *c, const struct accounts *a)
{
	struct stat st;

	if (stat("queue", &st) == -1) {
		if (errno != ENOENT)
			problem(c, "queue/", errno_text(errno));
		return;
	}
	if (st.st_uid != a->uid[ACCOUNT_QUEUE])
		problem(c, "queue/ does not belong to the queue's user", account_name(ACCOUNT_QUEUE));
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		problem(c, "queue/ can be written by others", "chmod 750 queue");
}

int quill_check(int argc, char **argv)
{
	struct check c = { 0 };
	struct accounts a;
	struct err e;
	int code;

	if ((code = quill_choose_home(argc, argv)) != 0)
		return code;
	if (accounts_load(&a, &e))
		check_queue(&c, &a);
	else
		problem(&c, e.text, "");
	check_controls(&c);
	check_programs(&c);
	quill_check_mailboxes(mailbox_problem, &c);
	if (c.problems == 0)
		printf("%s: no problem found\n", home_path());
	return c.problems ? 1 : 0;
}
