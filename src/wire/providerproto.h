/*
 * providerproto: qmail-send asks qmail-rspawn who takes mail for a domain, and
 * gets the names of the exchangers. On the same socket as wire/delivery.h.
 *
 *   message    sender         receiver       largest size
 *   WHO        qmail-send     qmail-rspawn   a domain
 *   PROVIDER   qmail-rspawn   qmail-send     a domain and PROVIDER_NAMES_MAX
 *
 * Each WHO is answered, in any order.
 */
#ifndef WIRE_PROVIDERPROTO_H
#define WIRE_PROVIDERPROTO_H

#include "wire/wire.h"

#define PROVIDER_NAMES_MAX 2000

struct provider_answer {
	struct str host; /* as it was asked */
	struct str
	    names; /* separated by blanks, each once, sorted; what is beyond the limit is left out; may be empty */
};

void provider_put_question(struct buf *b, struct str host);
void provider_put_answer(struct buf *b, const struct provider_answer *a);

/* False: it is another packet, or malformed. */
bool provider_get_question(struct str packet, struct str *host);
bool provider_get_answer(struct str packet, struct provider_answer *a);

#endif
