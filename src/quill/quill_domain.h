/*
 * quill_domain: the domain of a new mailbox becomes one that mail is taken
 * for: control/virtualdomains and control/rcpthosts.
 */
#ifndef QUILL_QUILL_DOMAIN_H
#define QUILL_QUILL_DOMAIN_H

#include "base/err.h"
#include "base/str.h"

/*
 * Makes mail for the domain local, says what was changed, and tells a
 * running qmail-send. False: the control files send it elsewhere on purpose,
 * or they cannot be changed.
 */
bool quill_domain_add(struct str domain, struct err *e);

/* Does mail for the domain reach the table? False: e says what the control files do with it instead. */
bool quill_domain_check(struct str domain, struct err *e);

/* Is it in control/locals, so that the accounts of the system have its other addresses? */
bool quill_domain_has_accounts(struct str domain);

#endif
