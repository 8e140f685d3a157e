/*
 * popwire: lines from a client, and what goes back to it, with the patience
 * of a POP3 server.
 */
#ifndef POP3_POPWIRE_H
#define POP3_POPWIRE_H

#include "base/buf.h"
#include "pop3/popline.h"

#define POPWIRE_SECONDS 1200 /* for each read and write */

struct popwire {
	int in, out;
	struct popline line;
	struct buf replies; /* that wait to be written */
	struct str rest;    /* of what was read */
	bool gone;          /* the client is of no more use */
	char input[16384];
};

/* The struct is large: not for the stack. */
void popwire_start(struct popwire *w, int in, int out);

/*
 * The next line; writes the replies first when it has to wait. False: the
 * client has gone. careful: reads not a byte behind the line.
 */
bool popwire_line(struct popwire *w, bool careful, struct str *line);

/* Writes what waits. False: the client has gone. */
bool popwire_flush(struct popwire *w);
/* The same when there is much of it. */
bool popwire_relieve(struct popwire *w);

void popwire_end(struct popwire *w);

#endif
