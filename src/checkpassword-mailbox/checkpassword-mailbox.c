/*
 * checkpassword-mailbox PROGRAM [ARGUMENT ...]: the mailboxes of the table in
 * users/mailboxes.sqlite (contract-companions §3).
 *
 * It becomes the owner of the mailboxes before it opens the table. USER is
 * the address, HOME the directory of the mailbox, in which a Maildir is
 * made when there is none.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "checker/checkapop.h"
#include "checker/checker.h"
#include "mailbox/maildirmaker.h"
#include "password/passwordhash.h"
#include "sys/accounts.h"
#include "sys/home.h"
#include "virtual/mailboxdb.h"
#include "virtual/virtualfind.h"
#include "virtual/virtualhome.h"

#define PATH_LIMIT 8192

static bool right(const struct checkinput *c, struct mailbox *m)
{
	if (m->secret.n && checkapop_matches(c, buf_str(&m->secret)))
		return true;
	return password_matches(c->password.p, buf_cstr(&m->password));
}

static enum checker_verdict look_up(const struct checkinput *c, struct mailbox *m)
{
	enum checker_verdict verdict = CHECKER_WRONG;
	struct err e;
	struct mailboxdb *db = mailboxdb_open(MAILBOXDB_PATH, MAILBOXDB_READ, &e);

	if (db == NULL)
		return CHECKER_TEMPORARY;
	if (mailboxdb_mailbox(db, c->login, m, &e))
		verdict = right(c, m) ? CHECKER_RIGHT : CHECKER_WRONG;
	else if (e.kind == ERR_NONE)
		password_waste_time(c->password.p);
	else
		verdict = CHECKER_TEMPORARY;
	mailboxdb_close(db);
	return verdict;
}

static bool make_home(struct checker_account *a, struct str address)
{
	struct buf maildir = BUF_INIT(PATH_LIMIT), last = BUF_INIT(PATH_LIMIT);
	struct err e;
	bool ok = true;

	buf_addf(&a->home, "%s/", home_path());
	virtualhome_path(&a->home, address);
	buf_addf(&maildir, "%s/Maildir", buf_cstr(&a->home));
	/* A delivery may be making it at this moment. */
	buf_addf(&last, "%s/cur", buf_cstr(&maildir));
	if (access(buf_cstr(&last), F_OK) == -1)
		ok = maildir_make(buf_cstr(&maildir), &e);
	buf_free(&maildir);
	buf_free(&last);
	return ok;
}

static enum checker_verdict verify(const struct checkinput *c, struct checker_account *a)
{
	struct mailbox m = MAILBOX_INIT;
	enum checker_verdict verdict;
	struct err e;

	if (!home_enter(&e) || !virtualfind_present() || !virtualhome_owner(&a->uid, &a->gid, &e) ||
	    (getuid() == 0 && !accounts_become(a->uid, a->gid, &e)))
		return CHECKER_TEMPORARY;
	umask(077);
	verdict = look_up(c, &m);
	if (verdict == CHECKER_RIGHT) {
		buf_add(&a->user, buf_str(&m.address));
		buf_addz(&a->shell, "/bin/false");
		if (!make_home(a, buf_str(&m.address)))
			verdict = CHECKER_TEMPORARY;
	}
	mailbox_free(&m);
	return verdict;
}

int main(int argc, char **argv)
{
	checker_run(argv + (argc > 0), verify);
}
