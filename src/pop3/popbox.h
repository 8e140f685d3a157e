/*
 * popbox: a Maildir as POP3 sees it: messages from 1 on, fixed for the
 * session, and what is to be deleted at its end.
 *
 * Other programs may deliver to, move and remove from the Maildir meanwhile:
 * a message that was moved (new/ to cur/, other flags) is found again by the
 * unique part of its name.
 */
#ifndef POP3_POPBOX_H
#define POP3_POPBOX_H

#include "mailbox/maildirquota.h"
#include "mailbox/maildirscan.h"

struct popbox {
	int dir;
	struct maildir_list list;
	struct popmessage *messages; /* one for each in the list */
	struct maildirquota quota;
};

struct popmessage {
	uint64_t size; /* as sent; POPBOX_UNKNOWN until somebody asks */
	bool deleted;
};

#define POPBOX_UNKNOWN UINT64_MAX

/* Opens the Maildir that is the working directory. False: it cannot be read. */
bool popbox_open(struct popbox *b, struct err *e);
void popbox_close(struct popbox *b);

/* Index from 0. How many bytes RETR sends; reads the file where its name does not say it. */
uint64_t popbox_size(struct popbox *b, size_t i);
/* Appends the unique id: 1 to 70 visible bytes (RFC 1939 §7). */
void popbox_uid(const struct popbox *b, size_t i, struct buf *out);
/* A descriptor to read it from, or -1. */
int popbox_open_message(struct popbox *b, size_t i);

/* Removes what is deleted and marks the rest as seen by a reader. Returns how many could not be removed. */
size_t popbox_commit(struct popbox *b);

/* The unique id for a file name. Pure. */
void popbox_uid_of(struct str name, struct buf *out);

#endif
