/*
 * mailin: one message from the network into the queue, for servers that
 * tcpserver starts: who sent it (contract §12.1), its Received line, and the
 * answer.
 */
#ifndef QMTP_MAILIN_H
#define QMTP_MAILIN_H

#include "mail/received.h"
#include "submit/submit.h"

struct mailin {
	struct submit submit;
	struct received_client client; /* views into the environment */
	struct str protocol;
};

/* Readies the process for one client, who may stay for so long; then it ends with 111. */
void mailin_process(unsigned seconds);

/* From $TCPREMOTEIP and so on; "unknown" where there is nothing. */
void mailin_start(struct mailin *m, struct str protocol);

/* Begins a message and writes its Received line. False: the queue cannot be reached. */
bool mailin_begin(struct mailin *m, struct err *e);

/* Ends it, and appends "Kok TIME qp N", or the reason with D or Z in front. */
void mailin_commit(struct mailin *m, struct buf *answer);

#endif
