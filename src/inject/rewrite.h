/*
 * rewrite: qualifying addresses (contract §13.4).
 *
 * "joe" becomes joe@defaulthost, "joe@host" becomes joe@host.defaultdomain,
 * "joe@host+" becomes joe@host.plusdomain; source routes go away.
 */
#ifndef INJECT_REWRITE_H
#define INJECT_REWRITE_H

#include "base/err.h"
#include "mail/address_token.h"

struct rewrite_rules {
	struct buf host_text, domain_text, plus_text; /* what is appended, with its '@' or '.' */
	struct token_list host, domain, plus;         /* the same as tokens */
};

/* Permanent error when one of the three cannot be part of an address. Free with rewrite_free also then. */
bool rewrite_init(struct rewrite_rules *r, struct str defaulthost, struct str defaultdomain, struct str plusdomain,
		  struct err *e);
void rewrite_free(struct rewrite_rules *r);

/*
 * Applies the rules to one address (tokens in reading order, no comments).
 * Empty addresses, and those whose domain is exactly "[]", stay as they are.
 * The result's tokens look into r as well as into the original text.
 */
void rewrite_address(const struct rewrite_rules *r, struct token_list *address);

/*
 * Replaces *out by the qualified form of a plain envelope address, as given on
 * a command line; its local part may hold any bytes. Permanent error when its
 * domain is malformed.
 */
bool rewrite_plain(const struct rewrite_rules *r, struct str address, struct buf *out, struct err *e);

#endif
