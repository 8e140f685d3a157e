/* quill_check_mailboxes: mistakes around the table of mailboxes; see quill_check.c. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "quill/quill.h"
#include "quill/quill_domain.h"
#include "virtual/mailboxdb.h"
#include "virtual/virtualhome.h"

struct mailbox_check {
	void (*problem)(void *ctx, const char *text);
	void *ctx;
};

static void check_domain(void *ctx, struct str domain)
{
	const struct mailbox_check *c = ctx;
	struct err e;

	if (!quill_domain_check(domain, &e))
		c->problem(c->ctx, e.text);
}

/* Passwords are in it; those who deliver must be able to read it. */
static void check_modes(const struct mailbox_check *c)
{
	struct stat st;
	struct err e;
	uid_t uid;
	gid_t gid;

	if (!virtualhome_owner(&uid, &gid, &e)) {
		c->problem(c->ctx, e.text);
		return;
	}
	if (stat(MAILBOXDB_PATH, &st) == -1)
		return;
	if (st.st_mode & (S_IRWXO | S_IWGRP))
		c->problem(c->ctx, MAILBOXDB_PATH " can be read or written by others: chmod 640");
	if (st.st_uid != uid && (st.st_gid != gid || !(st.st_mode & S_IRGRP)))
		c->problem(c->ctx,
			   MAILBOXDB_PATH " cannot be read by the owner of " VIRTUALHOME_ROOT ": give it to his group");
	if (access(MAILBOXDB_PATH "-journal", F_OK) == 0)
		c->problem(c->ctx,
			   "a change of " MAILBOXDB_PATH " is not finished; if nobody is at it: quill user list");
}

void quill_check_mailboxes(void (*problem)(void *ctx, const char *text), void *ctx)
{
	struct mailbox_check c = { problem, ctx };
	struct mailboxdb *db;
	struct err e;

	if (access(MAILBOXDB_PATH, F_OK) == -1 && errno == ENOENT)
		return;
	check_modes(&c);
	db = mailboxdb_open(MAILBOXDB_PATH, MAILBOXDB_READ, &e);
	if (db == NULL || !mailboxdb_domains(db, check_domain, &c, &e))
		problem(ctx, e.text);
	mailboxdb_close(db);
}
