/*
 * hash: keyed hashing of bytes that come from outside.
 *
 * Tables keyed by domains or addresses use a secret key, so that nobody can
 * choose names that all fall into one bucket (SipHash-1-3).
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/str.h"

struct hash_key {
	uint64_t k0, k1;
};

uint64_t hash_str(struct hash_key key, struct str s);
/* For small integers of our own making (message numbers); not keyed. */
uint64_t hash_u64(uint64_t v);

#endif
