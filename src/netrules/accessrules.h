/*
 * accessrules: a rules file, as tcprules makes it, in the hands of a server:
 * who is let in, and with which variables (contract-companions §1.3).
 */
#ifndef NETRULES_ACCESSRULES_H
#define NETRULES_ACCESSRULES_H

#include "netrules/rulelookup.h"

struct accessrules {
	const char *path; /* not owned; NULL: no rules, everybody is let in */
	bool may_miss;    /* so do rules that do not exist */
	struct cdbfile file;
	bool ok;          /* it could be read */
	struct err error; /* why not */
};

#define ACCESSRULES_INIT ((struct accessrules){ .file = CDBFILE_INIT })

/* Looks whether the file is another one now; to be called before each connection. True: it has changed. */
bool accessrules_refresh(struct accessrules *r);

enum access { ACCESS_ALLOWED, ACCESS_DENIED, ACCESS_TROUBLE /* *e says why */ };

/*
 * What holds for this client. Each variable of its rule goes to set(), in
 * order; without a value (p NULL) it is to be removed.
 */
enum access accessrules_ask(const struct accessrules *r, const struct rule_client *client,
			    void (*set)(void *ctx, struct str name, struct str value), void *ctx, struct err *e);

/* Does any rule set this variable? Reads the file. */
bool accessrules_mention(const struct accessrules *r, const char *variable);

#endif
