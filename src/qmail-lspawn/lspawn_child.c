/*
 * The child's part of a delivery: find the owner where users/cdb did not say,
 * become that user, deliver. Nothing of the user's is touched and nothing of
 * the message is read before that. A search does the same, without a message.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "local/local.h"
#include "local/localanswer.h"
#include "local/outcome.h"
#include "mailbox/maildirmaker.h"
#include "qmail-lspawn/lspawn.h"
#include "sys/home.h"
#include "sys/io.h"
#include "sys/unixsock.h"
#include "users/getpw.h"
#include "virtual/virtualfind.h"
#include "virtual/virtualhome.h"

enum { EXIT_BUG = 112, EXIT_ROOT = 113 };

static void close_between(int first, int last)
{
	if (first > last || close_range((unsigned)first, (unsigned)last, 0) == 0)
		return;
	for (int fd = first; fd <= last && fd < 65536; fd++)
		close(fd);
}

/*
 * Leaves descriptors 0 to 2, the home and the socket to the parent. The
 * parent's own sockets must not stay open here: qmail-send would not notice
 * that qmail-lspawn has died.
 */
static bool arrange_descriptors(int message, int report, int control)
{
	int low = home_dir() < control ? home_dir() : control, high = home_dir() + control - low;

	if (dup2(message, 0) == -1 || dup2(report, 1) == -1 || dup2(report, 2) == -1)
		return false;
	close_between(3, low - 1);
	close_between(low + 1, high - 1);
	close_between(high + 1, INT32_MAX);
	return true;
}

static void arrange_process(void)
{
	const struct rlimit none = { 0, 0 };
	sigset_t empty;

	/* A group, to be killed with all that is in it. A session is for programs only: each costs the scheduler. */
	setpgid(0, 0);
	setrlimit(RLIMIT_CORE, &none);
	signal(SIGTERM, SIG_DFL);
	sigemptyset(&empty);
	sigprocmask(SIG_SETMASK, &empty, NULL);
}

/* What is said here is the delivery's report. */
static _Noreturn void give_up(const char *what, const struct err *e)
{
	struct buf text = BUF_INIT(1000);

	buf_addf(&text, "%s: %s. (#4.3.0)\n", what, e->text);
	io_write_all(1, text.p, text.n);
	_exit(111);
}

/* The mailbox as an account with a home: the directory of the mailbox, or that of all for who has none. */
static enum owner_status set_owner(const struct virtual_recipient *r, uid_t uid, gid_t gid, struct owner *o)
{
	struct buf home = BUF_INIT(OWNER_TEXT_MAX);
	enum owner_status status;

	buf_addf(&home, "%s/", home_path());
	if (r->mailbox)
		virtualhome_path(&home, buf_str(&r->address));
	else
		buf_addz(&home, VIRTUALHOME_ROOT);
	status =
	    owner_set(o, r->mailbox ? buf_str(&r->address) : STR("alias"), uid, gid, buf_str(&home), STR(""), STR(""));
	buf_free(&home);
	return status;
}

static enum owner_status find_virtual(const struct lspawn *l, const struct lspawn_job *job, struct virtual_recipient *r,
				      struct owner *o)
{
	struct err e;
	uid_t uid;
	gid_t gid;
	enum owner_status status = virtualfind_ask(l->root, job->local, job->host, r, &uid, &gid, &e);

	if (status == OWNER_TEMPORARY)
		give_up("Unable to look up the mailbox", &e);
	return status == OWNER_FOUND ? set_owner(r, uid, gid, o) : status;
}

static enum owner_status find_owner(const struct lspawn *l, const struct lspawn_job *job, struct virtual_recipient *r,
				    struct owner *o)
{
	enum owner_status status = job->virtual ? find_virtual(l, job, r, o) : OWNER_NONE;
	const struct getpw_rules rules = {
		.own_only = !l->root,
		.own_uid = l->uid,
		.own_gid = getgid(),
		.own_alias = l->own_alias,
	};

	if (status != OWNER_NONE)
		return status;
	if (job->known != OWNER_NONE) {
		*o = job->owner;
		return job->known;
	}
	return getpw_find(&rules, job->local, o);
}

static void become(const struct lspawn *l, const struct owner *o)
{
	struct err e;

	if (o->uid == 0)
		_exit(EXIT_ROOT);
	if (!l->root && o->uid != l->uid)
		_exit(OWNER_TEMPORARY);
	if (l->root && !accounts_become(o->uid, o->gid, &e))
		_exit(OWNER_TEMPORARY);
}

/* A row in the table is all that a mailbox needs to get mail. */
static void make_home(const struct virtual_recipient *r, const struct owner *o)
{
	struct buf maildir = BUF_INIT(OWNER_TEXT_MAX);
	struct err e;

	if (!r->mailbox || access(o->home, F_OK) == 0 || errno != ENOENT)
		return;
	buf_addf(&maildir, "%s/Maildir", o->home);
	umask(077);
	if (!maildir_make(buf_cstr(&maildir), &e))
		give_up("Unable to make the mailbox", &e);
	buf_free(&maildir);
}

void lspawn_put_job(struct buf *b, const struct lspawn_job *job)
{
	wire_put_str(b, job->local);
	wire_put_str(b, job->host);
	wire_put_str(b, job->sender);
	wire_put_u8(b, job->ret);
	wire_put_u8(b, job->notify);
	wire_put_str(b, job->envid);
	wire_put_str(b, job->orcpt);
	wire_put_u8(b, job->known == OWNER_FOUND && !job->virtual);
	if (job->known != OWNER_FOUND || job->virtual)
		return;
	wire_put_str(b, str_of(job->owner.dash));
	wire_put_str(b, str_of(job->owner.ext));
}

/* The strings of the delivery at hand; owned. */
struct strings {
	char *local, *host, *sender, *dash, *ext, *envid, *orcpt;
	uint8_t ret, notify;
};

static void replace(char **z, struct str s)
{
	free(*z);
	*z = mem_copy(s);
}

static bool get_job(struct str packet, struct strings *z)
{
	struct wire_reader r = wire_reader(packet);

	replace(&z->local, wire_get_str(&r, OWNER_TEXT_MAX));
	replace(&z->host, wire_get_str(&r, OWNER_TEXT_MAX));
	replace(&z->sender, wire_get_str(&r, OWNER_TEXT_MAX));
	z->ret = wire_get_u8(&r);
	z->notify = wire_get_u8(&r);
	replace(&z->envid, wire_get_str(&r, OWNER_TEXT_MAX));
	replace(&z->orcpt, wire_get_str(&r, OWNER_TEXT_MAX));
	/* Otherwise it is the same address again, with the same dash and ext. */
	if (wire_get_u8(&r)) {
		replace(&z->dash, wire_get_str(&r, OWNER_TEXT_MAX));
		replace(&z->ext, wire_get_str(&r, OWNER_TEXT_MAX));
	}
	return wire_end(&r);
}

/* Waits for the next job; its message becomes descriptor 0. Ends the process when there is none. */
static void next_job(int control, struct strings *z)
{
	struct buf packet = BUF_INIT(UNIXSOCK_PACKET_MAX);
	int message;

	if (unixsock_recv(control, &packet, UNIXSOCK_PACKET_MAX, &message) <= 0)
		_exit(0);
	if (!get_job(buf_str(&packet), z) || message == -1)
		_exit(EXIT_BUG);
	/* Descriptor 0 was free, so it is the lowest; a program must inherit it. */
	if (message != 0 ? dup2(message, 0) == -1 : fcntl(0, F_SETFD, 0) == -1)
		_exit(EXIT_BUG);
	if (message != 0)
		close(message);
	buf_free(&packet);
}

/* Reports over the socket, and lets go of the message. False: the parent has gone. */
static bool report_done(int control, int code, const struct local_report *r)
{
	struct buf packet = BUF_INIT(LSPAWN_DONE_MAX);
	bool sent;

	close(0);
	wire_put_u8(&packet, (uint8_t)code);
	buf_add(&packet, str_head(buf_str(&r->out), OUTCOME_OUTPUT_MAX));
	buf_add(&packet, str_head(buf_str(&r->err), LSPAWN_DONE_MAX - packet.n));
	sent = unixsock_send(control, buf_str(&packet), -1) == 0;
	buf_free(&packet);
	return sent;
}

static _Noreturn void report_and_exit(int code, const struct local_report *r)
{
	if (r->out.n)
		io_write_all(1, r->out.p, r->out.n);
	if (r->err.n)
		io_write_all(2, r->err.p, r->err.n);
	_exit(code);
}

/*
 * "No such account, so alias has it" may be wrong in the next moment, when
 * the account has been made. All other answers are good for a few seconds.
 */
static bool may_stay(const struct lspawn_job *job, const struct owner *o)
{
	return job->known == OWNER_FOUND || strcmp(o->dash, "-") != 0 || !str_eq(str_of(o->ext), job->local);
}

static bool bounce_full(const struct lspawn *l, const struct virtual_recipient *v)
{
	return v->overquota == OVERQUOTA_UNSET ? l->bounce_full : v->overquota == OVERQUOTA_BOUNCE;
}

static const char *default_delivery(const struct lspawn *l, const struct virtual_recipient *v)
{
	return v->mailbox || v->instructions.n ? "./Maildir/" : l->default_delivery;
}

/* Delivers the first job and, if it may stay, those that follow, until one is more than writing to mailboxes. */
static _Noreturn void serve(const struct lspawn *l, const struct owner *o, struct virtual_recipient *v,
			    struct strings *z, int control, bool stay)
{
	for (;;) {
		struct local_report report = LOCAL_REPORT_INIT;
		const struct local_job delivery = {
			.user = o->user,
			.home = o->home,
			.local = z->local,
			.dash = z->dash,
			.ext = z->ext,
			.host = z->host,
			.sender = z->sender,
			.wishes = { z->ret, z->notify, z->envid, z->orcpt },
			.default_delivery = default_delivery(l, v),
			.message_fd = 0,
			.limits = l->limits,
			.instructions = v->instructions.n ? buf_cstr(&v->instructions) : NULL,
			.make_maildir = v->mailbox,
			.quota = v->mailbox ? &v->quota : NULL,
			.bounce_full = bounce_full(l, v),
		};
		int code = local_deliver(&delivery, &report);

		if (!stay || !report.files_only || !report_done(control, code, &report))
			report_and_exit(code, &report);
		buf_free(&report.out);
		buf_free(&report.err);
		next_job(control, z);
	}
}

_Noreturn void lspawn_child(const struct lspawn *l, const struct lspawn_job *job, int report, int control)
{
	struct virtual_recipient virtual = VIRTUAL_RECIPIENT_INIT;
	struct owner owner = OWNER_INIT;
	enum owner_status status;
	struct strings z;

	arrange_process();
	if (!arrange_descriptors(job->message, report, control))
		_exit(EXIT_BUG);
	status = find_owner(l, job, &virtual, &owner);
	if (status != OWNER_FOUND)
		_exit((int)status);
	become(l, &owner);
	make_home(&virtual, &owner);
	z = (struct strings){
		.local = mem_copy(job->local),
		.host = mem_copy(job->host),
		.sender = mem_copy(job->sender),
		.dash = mem_copy(str_of(owner.dash)),
		.ext = mem_copy(str_of(owner.ext)),
		.envid = mem_copy(job->envid),
		.orcpt = mem_copy(job->orcpt),
		.ret = job->ret,
		.notify = job->notify,
	};
	serve(l, &owner, &virtual, &z, control, may_stay(job, &owner));
}

/* It needs neither; a .qmail file is read in no time. */
static void limit_search(void)
{
	const struct rlimit seconds = { 2, 2 }, none = { 0, 0 };

	setrlimit(RLIMIT_CPU, &seconds);
	setrlimit(RLIMIT_FSIZE, &none);
}

_Noreturn void lspawn_search(const struct lspawn *l, const struct lspawn_job *job, uint64_t *room)
{
	struct virtual_recipient virtual = VIRTUAL_RECIPIENT_INIT;
	struct owner owner = OWNER_INIT;
	enum owner_status status;
	struct local_job question = { .host = "" };
	struct recipient_finding found;

	arrange_process();
	close_between(3, INT32_MAX);
	status = find_owner(l, job, &virtual, &owner);
	if (status != OWNER_FOUND)
		_exit((int)status);
	become(l, &owner);
	/* The first message makes the directory in which there might be instructions. */
	if (virtual.mailbox && access(owner.home, F_OK) == -1 && errno == ENOENT) {
		if (bounce_full(l, &virtual) && virtual.quota.bytes)
			*room = virtual.quota.bytes;
		_exit(LSPAWN_SEARCH_EXIT + RECIPIENT_EXISTS);
	}
	limit_search();
	question.default_delivery = default_delivery(l, &virtual);
	question.user = owner.user;
	question.home = owner.home;
	question.local = mem_copy(job->local);
	question.dash = owner.dash;
	question.ext = owner.ext;
	question.instructions = virtual.instructions.n ? buf_cstr(&virtual.instructions) : NULL;
	question.quota = virtual.mailbox ? &virtual.quota : NULL;
	question.bounce_full = bounce_full(l, &virtual);
	found = local_answer(&question);
	*room = found.room;
	_exit(LSPAWN_SEARCH_EXIT + (int)found.answer);
}
