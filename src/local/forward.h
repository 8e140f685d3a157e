/*
 * forward: passing a message on to the addresses of a .qmail file, all in one
 * new message (contract §10.7).
 */
#ifndef LOCAL_FORWARD_H
#define LOCAL_FORWARD_H

#include <sys/types.h>

#include "local/local.h"
#include "local/message.h"

struct forward {
	const char *sender;        /* NEWSENDER */
	struct str header;         /* goes in front: the Delivered-To line */
	const struct str *address; /* as they stand in the file */
	size_t n;
	const struct local_wishes *wishes; /* of the sender; NULL: none */
};

/* True: queued for good, *qp is the number to show. False, with the text for the report, and kind. */
bool forward_send(const struct forward *f, struct message *m, pid_t *qp, struct err *e);

#endif
