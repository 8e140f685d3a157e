/*
 * dnshosts: names that are answered from control/hosts.
 *
 * Lines as in hosts(5): an IPv4 or IPv6 address and one name or more; what
 * follows a # is not looked at. A name in the file has the addresses there
 * and no others, and no MX records, so that mail for it goes to them. An
 * address in the file leads back to the first name of its first line. Other
 * types are asked for in DNS.
 */
#ifndef RESOLVER_DNSHOSTS_H
#define RESOLVER_DNSHOSTS_H

#include "base/err.h"
#include "dnsmessage/dnspacket.h"

struct dnshosts {
	struct buf text;             /* behind the entries */
	struct dnshosts_entry *list; /* owned, sorted by name */
	size_t n, room;
};

/* Reads the file; without it nothing is answered. False: a line makes no sense, and *h is empty. */
bool dnshosts_load(struct dnshosts *h, struct err *e);

/* Adds the line. Pure. False: it makes no sense. dnshosts_sort comes before dnshosts_find. */
bool dnshosts_add(struct dnshosts *h, struct str line, struct err *e);
void dnshosts_sort(struct dnshosts *h);
void dnshosts_free(struct dnshosts *h);

/*
 * True: the file answers this question, and *set is the answer, which does not refer to *h. Letter case and a final
 * dot do not matter.
 */
bool dnshosts_find(const struct dnshosts *h, struct str name, enum dns_type type, struct dnspacket_set *set);

#endif
