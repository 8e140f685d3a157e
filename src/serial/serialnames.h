/*
 * serialnames: the names of messages that a client finds on descriptor 0, each
 * with a NUL behind it.
 */
#ifndef SERIAL_SERIALNAMES_H
#define SERIAL_SERIALNAMES_H

#include "base/buf.h"

struct serialnames {
	struct buf text;
	struct str rest; /* not taken yet */
};

/* Reads all names, or ends the program `me` with 111. */
void serialnames_read(struct serialnames *names, const char *me);

/* The next name, as a C string; NULL at the end. */
const char *serialnames_next(struct serialnames *names);

#endif
