/*
 * listening: where a server with sockets of its own listens, and how many it
 * serves at a time.
 */
#ifndef SERVING_LISTENING_H
#define SERVING_LISTENING_H

#include "listener/listener.h"

struct listening_place {
	const char *name;            /* the program's, for its log */
	const struct str *addresses; /* from its command line */
	size_t n;
	const char *file;      /* without any: this list in control/ */
	const char *otherwise; /* and without that file: "*:25" */
};

/* Opens the sockets and logs each address. Still as root. */
bool listening_open(struct listener *l, const struct listening_place *p, struct err *e);

/* Without a home: the defaults. Fills max_children from control/<file> (100) and max_per_client from
 * control/concurrencyperclient (20). */
bool listening_limits(struct listener_config *c, const char *file, struct err *e);

#endif
