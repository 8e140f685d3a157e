/*
 * popsession: the transaction state of POP3 (RFC 1939 §5, contract §15.2).
 */
#ifndef POP3_POPSESSION_H
#define POP3_POPSESSION_H

#include "pop3/popbox.h"
#include "pop3/popline.h"

struct popsession {
	struct popbox *box;
	uint64_t last; /* the highest number that was deleted, from 1 */
	bool ended;    /* after QUIT */
	/*
	 * Called while a long answer is built, so that `out` can be written. False: the client has gone, and
	 * nothing more needs to be said.
	 */
	bool (*relieve)(void *ctx);
	void *ctx;
};

/* Does what a command line says and appends the answer. */
void popsession_command(struct popsession *s, struct str line, struct buf *out);

#endif
