/*
 * From a request of qmail-send to a job for a process.
 */
#include <unistd.h>

#include "qmail-lspawn/lspawn.h"
#include "sys/home.h"
#include "sys/service.h"
#include "users/userdb.h"
#include "virtual/virtualfind.h"

/* The database as it is now; false: it cannot be read, and must not be taken for empty. */
static bool users_ready(struct lspawn *l, struct err *e)
{
	if (l->users_open)
		return cdbfile_refresh(&l->users, e);
	l->users_open = cdbfile_open(&l->users, home_dir(), "users/cdb", e);
	return l->users_open;
}

enum owner_status lspawn_look_up(struct lspawn *l, struct str local, struct owner *o)
{
	enum owner_status status = OWNER_DATABASE;
	struct err e = { .text = "" };

	if (users_ready(l, &e))
		status = userdb_find(&l->users, local, o, &e);
	if (status == OWNER_DATABASE)
		service_log("qmail-lspawn", "%s", e.text);
	if (status == OWNER_FOUND && !l->root && o->uid != l->uid)
		service_log("qmail-lspawn", "users/cdb: uid %lu is not mine and I am not root: %s",
			    (unsigned long)o->uid, o->user);
	return status;
}

/* Fills the job but for its owner; NULL, or the report. */
static const char *check(const struct delivery_request *r, int message, struct lspawn_job *job)
{
	struct str recipient = r->recipients[0];
	size_t at = str_rchr(recipient, '@');

	if (at == recipient.n)
		return "DSorry, address must include host name. (#5.1.3)\n";
	if (at == 0)
		return "K";
	if (str_chr(recipient, 0) < recipient.n || str_chr(r->sender, 0) < r->sender.n)
		return "DSorry, address must not contain a NUL byte. (#5.1.3)\n";
	if (message == -1)
		return "Zqmail-spawn unable to open message. (#4.3.0)\n";
	*job = (struct lspawn_job){
		.local = str_head(recipient, at),
		.host = str_from(recipient, at + 1),
		.sender = r->sender,
		.owner = OWNER_INIT,
		.message = message,
		.ret = r->ret,
		.notify = r->notify[0],
		.envid = r->envid,
		.orcpt = r->orcpts[0],
	};
	return NULL;
}

static const char *prepare(struct lspawn *l, const struct delivery_request *r, int message, struct lspawn_job *job)
{
	const char *report = check(r, message, job);

	if (report)
		return report;
	job->virtual = virtualfind_present();
	job->known = lspawn_look_up(l, job->local, &job->owner);
	return job->known == OWNER_DATABASE ? "ZTrouble reading users/cdb in qmail-lspawn.\n" : NULL;
}

bool lspawn_request(struct lspawn *l, struct connection *c, struct str packet, int passfd)
{
	/* Large for a stack; used by one request at a time. */
	static struct delivery_request request;
	bool ok = delivery_get_request(packet, &request) && request.nrecipients == 1;
	struct lspawn_job job = { .owner = OWNER_INIT };

	if (ok) {
		const char *report = prepare(l, &request, passfd, &job);
		struct slot *s = slot_take(l, report ? NULL : &job);

		if (s) {
			s->id = request.id;
			s->connection = c->serial;
			if (report == NULL)
				report = slot_start(l, s, &job);
			if (report)
				slot_answer(l, s, report);
		}
	}
	owner_free(&job.owner);
	if (passfd != -1)
		close(passfd);
	return ok;
}
