/*
 * wordmap: a table from byte strings to pointers. Hashed with a secret key:
 * words come from logs, and thus from senders of mail.
 */
#ifndef ANALOG_WORDMAP_H
#define ANALOG_WORDMAP_H

#include "base/hash.h"

struct wordmap_slot {
	char *word; /* owned; NULL in an empty slot */
	size_t n;
	void *value; /* the caller's */
};

struct wordmap {
	struct wordmap_slot *slots; /* `room` of them, in no order; for going through all */
	size_t room, used;
	struct hash_key key;
};

#define WORDMAP_INIT(hash_key) ((struct wordmap){ .key = (hash_key) })

/* The value, or NULL. */
void *wordmap_get(const struct wordmap *map, struct str word);
/* Sets it; returns the value of before, or NULL. value is not NULL. */
void *wordmap_put(struct wordmap *map, struct str word, void *value);
/* Removes it; returns its value, or NULL. */
void *wordmap_take(struct wordmap *map, struct str word);

/* Empties it; release (may be NULL) gets every value. */
void wordmap_clear(struct wordmap *map, void (*release)(void *value));

#endif
