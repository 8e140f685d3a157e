/*
 * The child's part of a delivery: find the owner where users/cdb did not say,
 * become that user, deliver. Nothing of the user's is touched and nothing of
 * the message is read before that. A search does the same, without a message.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "local/local.h"
#include "local/localanswer.h"
#include "local/outcome.h"
#include "qmail-lspawn/lspawn.h"
#include "sys/home.h"
#include "sys/io.h"
#include "sys/unixsock.h"
#include "users/getpw.h"

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

	setsid();
	setrlimit(RLIMIT_CORE, &none);
	signal(SIGTERM, SIG_DFL);
	sigemptyset(&empty);
	sigprocmask(SIG_SETMASK, &empty, NULL);
}

static enum owner_status find_owner(const struct lspawn *l, const struct lspawn_job *job, struct owner *o)
{
	const struct getpw_rules rules = {
		.own_only = !l->root,
		.own_uid = l->uid,
		.own_gid = getgid(),
		.own_alias = l->own_alias,
	};

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

void lspawn_put_job(struct buf *b, const struct lspawn_job *job)
{
	wire_put_str(b, job->local);
	wire_put_str(b, job->host);
	wire_put_str(b, job->sender);
	wire_put_u8(b, job->known == OWNER_FOUND);
	if (job->known != OWNER_FOUND)
		return;
	wire_put_str(b, str_of(job->owner.dash));
	wire_put_str(b, str_of(job->owner.ext));
}

/* The strings of the delivery at hand; owned. */
struct strings {
	char *local, *host, *sender, *dash, *ext;
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
	/* By the password database it is the same address again, with the same dash and ext. */
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
 * the account has been made. All other answers are good for a second.
 */
static bool may_stay(const struct lspawn_job *job, const struct owner *o)
{
	return job->known == OWNER_FOUND || strcmp(o->dash, "-") != 0 || !str_eq(str_of(o->ext), job->local);
}

/* Delivers the first job and, if it may stay, those that follow, until one is more than writing to mailboxes. */
static _Noreturn void serve(const struct lspawn *l, const struct owner *o, struct strings *z, int control, bool stay)
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
			.default_delivery = l->default_delivery,
			.message_fd = 0,
			.limits = l->limits,
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
	struct owner owner = OWNER_INIT;
	enum owner_status status;
	struct strings z;

	arrange_process();
	if (!arrange_descriptors(job->message, report, control))
		_exit(EXIT_BUG);
	status = find_owner(l, job, &owner);
	if (status != OWNER_FOUND)
		_exit((int)status);
	become(l, &owner);
	z = (struct strings){
		.local = mem_copy(job->local),
		.host = mem_copy(job->host),
		.sender = mem_copy(job->sender),
		.dash = mem_copy(str_of(owner.dash)),
		.ext = mem_copy(str_of(owner.ext)),
	};
	serve(l, &owner, &z, control, may_stay(job, &owner));
}

/* It needs neither; a .qmail file is read in no time. */
static void limit_search(void)
{
	const struct rlimit seconds = { 2, 2 }, none = { 0, 0 };

	setrlimit(RLIMIT_CPU, &seconds);
	setrlimit(RLIMIT_FSIZE, &none);
}

_Noreturn void lspawn_search(const struct lspawn *l, const struct lspawn_job *job)
{
	struct owner owner = OWNER_INIT;
	enum owner_status status;
	struct local_job question = { .host = "", .default_delivery = l->default_delivery };

	arrange_process();
	close_between(3, INT32_MAX);
	status = find_owner(l, job, &owner);
	if (status != OWNER_FOUND)
		_exit((int)status);
	become(l, &owner);
	limit_search();
	question.user = owner.user;
	question.home = owner.home;
	question.local = mem_copy(job->local);
	question.dash = owner.dash;
	question.ext = owner.ext;
	_exit(LSPAWN_SEARCH_EXIT + (int)local_answer(&question));
}
