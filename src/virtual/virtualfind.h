/*
 * virtualfind: what the table of mailboxes says about a recipient.
 *
 * A recipient is what qmail-lspawn gets: local part and domain. Where
 * control/virtualdomains has the domain with its own name as prefix
 * ("example.org:example.org"), the local part is "example.org-ann"; where
 * it is in control/locals, it is "ann". In the first form "@example.org" in the
 * table catches what has no row; in the second it does not, because there
 * the accounts of the system come after the table.
 */
#ifndef VIRTUAL_VIRTUALFIND_H
#define VIRTUAL_VIRTUALFIND_H

#include "mailbox/maildirsize.h"
#include "users/owner.h"
#include "virtual/mailboxdb.h"

#define VIRTUALFIND_TEXT_MAX (8u << 20)

struct virtual_recipient {
	bool mailbox;            /* there is one … */
	struct buf address;      /* … of this name */
	struct buf instructions; /* as of a .qmail file; empty: the mailbox's own, see local.h */
	struct maildir_quota quota;
	enum overquota overquota;
};

#define VIRTUAL_RECIPIENT_INIT \
	((struct virtual_recipient){ .address = BUF_INIT(4096), .instructions = BUF_INIT(VIRTUALFIND_TEXT_MAX) })

void virtual_recipient_free(struct virtual_recipient *r);

/* OWNER_FOUND, OWNER_NONE (not in the table), OWNER_TEMPORARY (e says why). Replaces *r. */
enum owner_status virtualfind(struct mailboxdb *db, struct str local, struct str host, struct virtual_recipient *r,
			      struct err *e);

/* Is there a table at all? Relative to the working directory, which is the home. */
bool virtualfind_present(void);

/*
 * The same with everything around it: in a child process that becomes the
 * owner of mailboxes/ (where `root`), since nobody should read a database as
 * root. On success *uid and *gid are that account's.
 */
enum owner_status virtualfind_ask(bool root, struct str local, struct str host, struct virtual_recipient *r, uid_t *uid,
				  gid_t *gid, struct err *e);

#endif
