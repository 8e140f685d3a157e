/*
 * addrlist: addresses and address blocks in a line, "10.0.0.1,::1,10.1.0.0/16".
 * Pure.
 */
#ifndef NETRULES_ADDRLIST_H
#define NETRULES_ADDRLIST_H

#include "base/err.h"
#include "listener/inetaddr.h"

/* False, with the reason, when an entry is neither address nor block. */
bool addrlist_check(struct str list, struct err *e);

/* Is the address one of them, or in one of the blocks? */
bool addrlist_has(struct str list, const struct inetaddr *a);

#endif
