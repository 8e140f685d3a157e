/*
 * trustanchor: where the keys are that signatures in DNS are checked from.
 *
 * control/dnsanchor holds DS or DNSKEY records as in a zone file; when it is
 * empty, signatures are not looked at. Without it the system's key of the root
 * is used, where the system has one.
 */
#ifndef RESOLVER_TRUSTANCHOR_H
#define RESOLVER_TRUSTANCHOR_H

#include "base/buf.h"
#include "base/err.h"

struct trustanchor {
	const char *path; /* NULL: there is none */
	char owner[256];  /* the name that its first record is for */
};

/* False: control/dnsanchor cannot be read or has no record. */
bool trustanchor_find(struct trustanchor *a, struct err *e);

/* The owner of the first record in the text of a zone file, comments passed over; empty: there is none. Pure. */
struct str trustanchor_owner(struct str text);

#endif
