/*
 * inject: a new message from descriptor 0 into the queue, completed on the way
 * (contract §13). What qmail-inject does, and sendmail without another exec.
 *
 * The header is held in memory, at most INJECT_HEADER_MAX bytes of it; the body
 * is passed on as it comes.
 */
#ifndef INJECT_INJECT_H
#define INJECT_INJECT_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

#define INJECT_HEADER_MAX (64u << 20)

enum inject_recipients {
	INJECT_EITHER,    /* the arguments if there are any, else the header's */
	INJECT_ARGUMENTS, /* only those given as arguments */
	INJECT_HEADER,    /* only the header's */
	INJECT_BOTH
};

struct inject_request {
	enum inject_recipients recipients_from;
	bool print;                    /* on descriptor 1, instead of queueing */
	bool crlf;                     /* where the first line ends with CR LF, every CR LF is a line end */
	const char *sender;            /* envelope sender, NULL for the default one */
	const char *const *recipients; /* arguments; NULL at the end */
	uint8_t ret, notify;           /* what the sender wants to hear of it (mail/dsn.h) */
	struct str envid;
	/* NULL; or is told what becomes of the message, see submit_events; inject_run waits for that. */
	void (*watch)(char letter, struct str address, struct str text);
};

/*
 * Does it. False: nothing was queued, e says why in the words of contract
 * §13.5. A recipient field that could not be parsed, and whose recipients
 * would have counted, is mentioned on descriptor 2. SIGPIPE is ignored from
 * then on.
 */
bool inject_run(const struct inject_request *request, struct err *e);

#endif
