#include "local/local.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "local/dotfile.h"
#include "local/dotqmail.h"
#include "local/forward.h"
#include "local/loopcheck.h"
#include "local/maildirplus.h"
#include "local/mailvars.h"
#include "local/mbox.h"
#include "sys/clock.h"

#define OTHERS_MAY_WRITE 002
#define LINES_MAX 32768
#define HOME_MAILDIR "./Maildir/"
#define PATH_LIMIT (1u << 20)

struct delivery {
	const struct local_job *job;
	struct local_report *report;
	struct message *message;
	struct dotfile file;
	struct buf dtline;
	struct buf newsender;
	bool newsender_known;
	char **environment;   /* of programs; made for the first one */
	struct str *forwards; /* collected; views into the file */
	size_t nforwards, files, programs;
};

static bool check_strings(const struct local_job *job, struct err *e)
{
	const char *const strings[] = { job->user, job->home, job->local, job->dash, job->ext, job->host, job->sender };

	for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
		if (strlen(strings[i]) > LOCAL_ADDRESS_MAX)
			return err_perm(e, "Sorry, that address is too long. (#5.1.3)");
	return true;
}

static bool enter_home(const struct delivery *d, struct err *e)
{
	struct stat st;

	if (chdir(d->job->home) == -1)
		return err_temp(e, "Unable to switch to %.300s: %s. (#4.3.0)", d->job->home, errno_text(errno));
	if (stat(".", &st) == -1)
		return err_temp(e, "Unable to stat home directory: %s. (#4.3.0)", errno_text(errno));
	if (st.st_mode & OTHERS_MAY_WRITE)
		return err_temp(e, "Uh-oh: home directory is writable. (#4.7.0)");
	if (!(st.st_mode & S_ISVTX))
		return true;
	if (!d->job->describe)
		return err_temp(e, "Home directory is sticky: user is editing his .qmail file. (#4.2.1)");
	buf_addz(&d->report->err, "Warning: home directory is sticky.\n");
	return true;
}

static bool check_loop(const struct delivery *d, struct err *e)
{
	struct loopcheck check = loopcheck_begin(buf_str(&d->dtline));
	uint64_t offset = 0;
	struct str block;

	while (!check.done) {
		if (!message_block(d->message, offset, &block, e))
			return false;
		if (block.n == 0)
			break;
		loopcheck_feed(&check, block);
		offset += block.n;
	}
	return !check.looping || err_perm(e, "This message is looping: it already has my Delivered-To line. (#5.4.6)");
}

/* The sender of forwards: the list's owner where there is one (contract §10.7). */
static bool find_newsender(struct delivery *d, struct err *e)
{
	const struct local_job *job = d->job;
	struct str dash = str_of(job->dash), ext = str_of(job->ext), sender = str_of(job->sender);
	bool owner = false, owner_default = false;

	if (d->newsender_known)
		return true;
	d->newsender_known = true;
	if (sender.n && !str_eq(sender, STR("#@[]")) &&
	    (!dotfile_exists(dash, ext, STR("-owner"), &owner, e) ||
	     (owner && !dotfile_exists(dash, ext, STR("-owner-default"), &owner_default, e))))
		return false;
	if (owner_default)
		buf_addf(&d->newsender, "%s-owner-@%s-@[]", job->local, job->host);
	else if (owner)
		buf_addf(&d->newsender, "%s-owner@%s", job->local, job->host);
	else
		buf_add(&d->newsender, sender);
	return true;
}

static void make_environment(struct delivery *d)
{
	const struct local_job *job = d->job;
	const struct mailvars vars = {
		.sender = job->sender,
		.newsender = buf_cstr(&d->newsender),
		.local = job->local,
		.host = job->host,
		.user = job->user,
		.home = job->home,
		.ext = job->ext,
		.default_set = d->file.default_set,
		.default_part = d->file.default_part,
		.now = clock_wall(),
	};

	d->environment = mailvars_environment(&vars, environ);
}

static struct maildirplus_rules rules_for(const struct delivery *d, const char *dir)
{
	bool own = strcmp(dir, HOME_MAILDIR) == 0;

	return (struct maildirplus_rules){
		.make = own && d->job->make_maildir,
		.quota = own ? d->job->quota : NULL,
		.bounce_full = d->job->bounce_full,
	};
}

static bool deliver_maildir(const struct delivery *d, const char *dir, struct err *e)
{
	const struct maildirplus_rules rules = rules_for(d, dir);
	struct buf header = BUF_INIT(MESSAGE_PREFIX_MAX);
	bool ok;

	mailvars_rpline(&header, str_of(d->job->sender));
	buf_add(&header, buf_str(&d->dtline));
	assert(buf_ok(&header));
	ok = maildirplus_deliver(dir, buf_str(&header), d->message, &rules, e);
	buf_free(&header);
	return ok;
}

static bool deliver_mbox(const struct delivery *d, const char *path, struct err *e)
{
	struct buf header = BUF_INIT(2 * MESSAGE_PREFIX_MAX);
	bool ok;

	mailvars_ufline(&header, str_of(d->job->sender), clock_wall());
	mailvars_rpline(&header, str_of(d->job->sender));
	buf_add(&header, buf_str(&d->dtline));
	assert(buf_ok(&header));
	ok = mbox_deliver(path, buf_str(&header), d->message, e);
	buf_free(&header);
	return ok;
}

static enum program_result run_program(struct delivery *d, const char *command, struct err *e)
{
	if (!find_newsender(d, e))
		return PROGRAM_FAILED;
	if (d->environment == NULL)
		make_environment(d);
	return program_run(command, d->environment, &d->job->limits, d->message, e);
}

/* Collects a forward; they are sent when all else has succeeded. */
static void add_forward(struct delivery *d, struct str address)
{
	/* Doubled whenever the count reaches a power of two. */
	if ((d->nforwards & (d->nforwards - 1)) == 0)
		d->forwards = mem_array(d->forwards, d->nforwards ? 2 * d->nforwards : 1, sizeof *d->forwards);
	d->forwards[d->nforwards++] = address;
}

static void count(struct delivery *d, const struct dotqmail_line *l)
{
	if (l->kind == DOTQMAIL_PROGRAM)
		d->programs++;
	else if (l->kind == DOTQMAIL_FORWARD)
		add_forward(d, l->text);
	else
		d->files++;
}

static void measure(struct delivery *d, struct str dir)
{
	char *text = mem_copy(dir);
	const struct maildirplus_rules rules = rules_for(d, text);
	uint64_t room = maildirplus_room(text, &rules);

	if (room < d->report->room)
		d->report->room = room;
	free(text);
}

static void describe(struct delivery *d, const struct dotqmail_line *l)
{
	static const char *const words[] = {
		[DOTQMAIL_PROGRAM] = "program ",
		[DOTQMAIL_MAILDIR] = "maildir ",
		[DOTQMAIL_MBOX] = "mbox ",
		[DOTQMAIL_FORWARD] = "forward ",
	};

	buf_addz(&d->report->out, words[l->kind]);
	buf_add(&d->report->out, l->text);
	buf_addc(&d->report->out, '\n');
	if (l->kind == DOTQMAIL_MAILDIR && d->job->bounce_full)
		measure(d, l->text);
}

static bool acceptable(const struct dotqmail_line *l, struct err *e)
{
	if (l->kind == DOTQMAIL_BLANK_FIRST)
		return err_temp(e, "Uh-oh: first line of .qmail file is blank. (#4.2.1)");
	if (l->kind == DOTQMAIL_NUL)
		return err_temp(e, "Uh-oh: .qmail file has a line with a NUL byte. (#4.2.1)");
	if (l->forbidden)
		return err_temp(e, "Uh-oh: .qmail has %s delivery but has x bit set. (#4.7.0)",
				l->kind == DOTQMAIL_PROGRAM ? "prog" : "file");
	return true;
}

static enum program_result deliver_line(struct delivery *d, const struct dotqmail_line *l, struct err *e)
{
	enum program_result r = PROGRAM_NEXT;
	char *text = mem_copy(l->text);

	if (l->kind == DOTQMAIL_PROGRAM)
		r = run_program(d, text, e);
	else if (l->kind == DOTQMAIL_MAILDIR ? !deliver_maildir(d, text, e) : !deliver_mbox(d, text, e))
		r = PROGRAM_FAILED;
	free(text);
	return r;
}

static bool follow(struct delivery *d, struct str content, bool forward_only, struct err *e)
{
	struct dotqmail lines = dotqmail_begin(content, forward_only);
	enum program_result r = PROGRAM_NEXT;

	while (r == PROGRAM_NEXT) {
		struct dotqmail_line l = dotqmail_next(&lines);

		if (l.kind == DOTQMAIL_END)
			return true;
		if (!acceptable(&l, e))
			return false;
		count(d, &l);
		if (d->job->describe)
			describe(d, &l);
		else if (l.kind != DOTQMAIL_FORWARD)
			r = deliver_line(d, &l, e);
	}
	return r == PROGRAM_STOP;
}

static bool send_forwards(struct delivery *d, pid_t *qp, struct err *e)
{
	struct forward f;

	if (!find_newsender(d, e))
		return false;
	f = (struct forward){ buf_cstr(&d->newsender), buf_str(&d->dtline), d->forwards, d->nforwards, NULL };
	/* A list's owner hears of its mail, and has asked for nothing. */
	if (strcmp(f.sender, d->job->sender) == 0)
		f.wishes = &d->job->wishes;
	return forward_send(&f, d->message, qp, e);
}

static bool instructions(struct delivery *d, struct err *e)
{
	const struct local_job *job = d->job;

	if (job->instructions)
		return follow(d, str_of(job->instructions), false, e);
	if (!dotfile_find(&d->file, str_of(job->dash), str_of(job->ext), e))
		return false;
	if (!d->file.found && *job->dash)
		return err_perm(e, "Sorry, no mailbox here by that name. (#5.1.1)");
	if (d->file.content.n)
		return follow(d, buf_str(&d->file.content), d->file.executable, e);
	return follow(d, str_of(job->default_delivery), false, e);
}

static bool deliver(struct delivery *d, struct err *e)
{
	struct buf *out = &d->report->out;
	pid_t qp = 0;

	if (!check_strings(d->job, e) || !enter_home(d, e))
		return false;
	mailvars_dtline(&d->dtline, str_of(d->job->local), str_of(d->job->host));
	if (!d->job->describe && (!message_open(d->message, d->job->message_fd, e) || !check_loop(d, e)))
		return false;
	if (!instructions(d, e))
		return false;
	if (d->nforwards && !d->job->describe && !send_forwards(d, &qp, e))
		return false;
	buf_addf(out, "did %zu+%zu+%zu\n", d->files, d->nforwards, d->programs);
	if (qp)
		buf_addf(out, "qp %ld\n", (long)qp);
	return true;
}

int local_deliver(const struct local_job *job, struct local_report *r)
{
	/* Large, and in a process that does one delivery: not worth an allocation. */
	static struct message message;
	struct delivery d = {
		.job = job,
		.report = r,
		.message = &message,
		.file = DOTFILE_INIT,
		.dtline = BUF_INIT(MESSAGE_PREFIX_MAX / 2 + 64),
		.newsender = BUF_INIT(PATH_LIMIT),
	};
	struct err e = { .kind = ERR_NONE };
	bool ok;

	umask(077);
	signal(SIGPIPE, SIG_IGN);
	/* A file that may not grow is a failed write and not the end of this process. */
	signal(SIGXFSZ, SIG_IGN);
	/* Inherited as ignored, it would lose the exit codes of programs. */
	signal(SIGCHLD, SIG_DFL);
	ok = deliver(&d, &e);
	r->files_only = d.programs == 0 && d.nforwards == 0;
	r->programs = d.programs > 0;
	if (!ok && *e.text) {
		buf_addz(&r->err, e.text);
		buf_addc(&r->err, '\n');
	}
	dotfile_free(&d.file);
	buf_free(&d.dtline);
	buf_free(&d.newsender);
	mailvars_free(d.environment);
	free(d.forwards);
	return ok ? LOCAL_OK : e.kind == ERR_PERMANENT ? LOCAL_PERMANENT : LOCAL_TEMPORARY;
}
