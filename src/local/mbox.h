/*
 * mbox: one message at the end of an mbox, for good (contract §10.6): locked
 * with flock, in mboxrd form, synced; cut back to its old length when
 * something goes wrong.
 */
#ifndef LOCAL_MBOX_H
#define LOCAL_MBOX_H

#include "local/message.h"

/*
 * `header` is the From_ line and what follows it, up to the message. False,
 * with the text for the report: nothing was delivered; always temporary.
 */
bool mbox_deliver(const char *path, struct str header, struct message *m, struct err *e);

#endif
