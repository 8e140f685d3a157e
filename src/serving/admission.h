/*
 * admission: whom a server with sockets of its own lets in, by the same rules
 * file that tcpserver -x reads. What a rule sets goes into the environment of
 * the process that serves the client, where the rest of the program finds it
 * as it would under tcpserver.
 */
#ifndef SERVING_ADMISSION_H
#define SERVING_ADMISSION_H

#include "netrules/accessrules.h"
#include "netrules/connlimit.h"

struct admission {
	struct accessrules rules;
	char *path;      /* owned; NULL: there are no rules */
	char *directory; /* owned; the one that must stay readable */
	char **before;   /* owned; the environment without any rule */
	size_t n;
};

#define ADMISSION_INIT ((struct admission){ .rules = ACCESSRULES_INIT })

/* The rules are in this file, which may be relative to the working directory. */
bool admission_option(struct admission *a, const char *path, struct err *e);

/*
 * Without that, they are in the file that control/<file> names, perhaps
 * relative to the home; without that there are none. False: they cannot be
 * read, which at the start is a mistake.
 */
bool admission_open(struct admission *a, const char *file, struct err *e);
void admission_close(struct admission *a);

/*
 * Puts the environment back, looks for changed rules, and applies the
 * client's. `prepare` sets variables that rules may replace (NULL: nothing).
 */
enum access admission_ask(struct admission *a, const struct rule_client *client, void (*prepare)(void *ctx), void *ctx,
			  struct err *e);

/* May this client have so many connections? After admission_ask, by what its rule has set. */
bool admission_within(const struct connlimit *connections);

#endif
