/*
 * hopcount: how many times a message was received or delivered before
 * (contract §12.4): header lines that begin with "received" or "delivered",
 * in any case, up to the first empty line.
 */
#ifndef SMTPSERVER_HOPCOUNT_H
#define SMTPSERVER_HOPCOUNT_H

#include "base/str.h"

#define HOPCOUNT_MAX 100 /* this many is a loop */

struct hopcount {
	unsigned hops;
	bool body;     /* the header is over */
	size_t n;      /* bytes of the current line in start, at most all */
	char start[9]; /* the first bytes of the current line */
};

/* The next piece of the message, line ends being LF. */
void hopcount_feed(struct hopcount *h, struct str data);

#endif
