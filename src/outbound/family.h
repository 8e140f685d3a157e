/*
 * family: IPv4 or IPv6 (control/addressfamily). Pure.
 *
 * The file has lines `domain:choice`, `.domain:choice` for all below it, and
 * `:choice` for the rest. Choices: `4` or `6` is tried first, `4only` or
 * `6only` is the only one, `any` takes turns: the default. With turns, a
 * family that does not work costs one attempt, and that is a short one.
 */
#ifndef OUTBOUND_FAMILY_H
#define OUTBOUND_FAMILY_H

#include "outbound/peeraddress.h"

#define FAMILY_SECONDS 10 /* for connecting, when an address of the other family comes later */

enum family { FAMILY_ANY, FAMILY_V4_FIRST, FAMILY_V6_FIRST, FAMILY_V4_ONLY, FAMILY_V6_ONLY };

/* False: there is no such choice. */
bool family_parse(struct str text, enum family *f);

bool family_allows(enum family f, bool v6);

/*
 * Which of list[i..n-1] is to be tried as number i, when those from `first` to i-1 are in their order already? The
 * earliest that the choice allows.
 */
size_t family_pick(enum family f, const struct peeraddress *list, size_t first, size_t i, size_t n);

/* Does an address of another family than list[i] come later? */
bool family_other_follows(const struct peeraddress *list, size_t i, size_t n);

#endif
