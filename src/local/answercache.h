/*
 * answercache: answers about addresses, remembered for a short time, so that
 * asking about the same address again and again costs next to nothing. The
 * table has a fixed size; a new answer may push out another.
 */
#ifndef LOCAL_ANSWERCACHE_H
#define LOCAL_ANSWERCACHE_H

#include "base/hash.h"
#include "wire/recipientproto.h"

#define ANSWERCACHE_SIZE 1024
#define ANSWERCACHE_FOUND_MS 10000
/* Somebody who has just been given an address tries it at once. */
#define ANSWERCACHE_OTHER_MS 2000

/*
 * An address is remembered as 128 bits of keyed hash: small, and with secret
 * keys nobody can find two addresses that are taken for one.
 */
struct answercache_slot {
	uint64_t name[2];
	int64_t until; /* 0: empty */
	struct recipient_finding found;
};

struct answercache {
	struct hash_key keys[2]; /* secret, filled in by the owner */
	struct answercache_slot slots[ANSWERCACHE_SIZE];
};

/*
 * Times are monotonic milliseconds. The name is the address: case does not
 * matter, as it does not for any look-up of it.
 */
void answercache_put(struct answercache *c, struct str name, struct recipient_finding f, int64_t now);

/* False: not known, or not any more. */
bool answercache_find(const struct answercache *c, struct str name, int64_t now, struct recipient_finding *f);

#endif
