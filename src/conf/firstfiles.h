/*
 * firstfiles: the control files that a new installation begins with: me,
 * defaultdomain, plusdomain, locals, rcpthosts (contract §20).
 */
#ifndef CONF_FIRSTFILES_H
#define CONF_FIRSTFILES_H

#include "base/err.h"
#include "base/str.h"

/*
 * Replaces control/me, defaultdomain and plusdomain by what follows from the
 * host's full name, and says so on standard output. The home is open.
 */
bool firstfiles_names(struct str fqdn, struct err *e);

/* Appends a host to control/locals and control/rcpthosts, unless it is there. */
bool firstfiles_host(struct str host, struct err *e);

/* The domain that hosts here are in: without the first label where that leaves two. / The last two labels. Pure. */
struct str firstfiles_domain(struct str fqdn);
struct str firstfiles_plus(struct str fqdn);

#endif
