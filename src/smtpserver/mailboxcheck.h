/*
 * mailboxcheck: does mail for a recipient end at an address that does not
 * exist, or at a mailbox that is full? The recipient is routed as qmail-send routes it; if it is local,
 * qmail-lspawn is asked (wire/recipientproto.h).
 *
 * Only a certain no counts. Whoever cannot answer now (not running,
 * busy, not reachable for this user) refuses nobody: the mail is accepted and
 * the delivery decides, as without the check.
 */
#ifndef SMTPSERVER_MAILBOXCHECK_H
#define SMTPSERVER_MAILBOXCHECK_H

#include "base/err.h"
#include "route/route.h"
#include "smtpserver/smtpsession.h"

struct mailbox_check {
	int fd; /* to qmail-lspawn; -1: not connected */
	uint32_t id;
	int64_t pause; /* monotonic ms: nobody is asked before */
	bool complained;
};

#define MAILBOX_CHECK_INIT ((struct mailbox_check){ .fd = -1 })

/* In milliseconds. The time for one answer, in which the client waits, and what follows when it did not come. */
#define MAILBOX_CHECK_MS 4000
#define MAILBOX_CHECK_PAUSE_MS 10000

/*
 * What becomes of a message of this size (0: not known) there. e->kind is ERR_NONE, or says (once for each c) what kept
 * us from finding out. The home must be open.
 */
enum smtp_mailbox mailbox_look(struct mailbox_check *c, const struct route_tables *routes, struct str recipient,
			       uint64_t bytes, struct err *e);

void mailbox_check_close(struct mailbox_check *c);

#endif
