/*
 * dnsrewrite: what a host name on a command line stands for
 * (contract-companions §0.5). Pure.
 *
 * Instructions, one a line, are applied in order, letter case ignored:
 *   =FROM:TO  a name that is FROM becomes TO
 *   *FROM:TO  a name that ends in FROM gets TO in its place
 *   ?FROM:TO  the same, if what stands before has no dot and no bracket
 *   -FROM:TO  a name that ends in FROM becomes TO
 * A result with `+` lists alternatives: "a+.b+.c" means a.b, then a.c.
 */
#ifndef UCSPI_DNSREWRITE_H
#define UCSPI_DNSREWRITE_H

#include "base/buf.h"

/* Applies all instructions to the name. */
void dnsrewrite_apply(struct str instructions, struct buf *name);

/*
 * The instructions that hold without a file of them: names without a dot are
 * tried in the domains of $LOCALDOMAIN (`local`, NULL when unset), else of
 * resolv.conf's last search or domain line, else of the own host's name.
 */
void dnsrewrite_default(const char *local, struct str resolv_conf, struct str own_name, struct buf *instructions);

/*
 * The alternatives of a rewritten name, one a call: *at is 0 at first. False
 * when there is none left.
 */
bool dnsrewrite_next(struct str rewritten, size_t *at, struct buf *name);

#endif
