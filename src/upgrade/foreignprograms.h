/*
 * foreignprograms: programs that are found beside qmail's and are none of
 * ours. One table.
 */
#ifndef UPGRADE_FOREIGNPROGRAMS_H
#define UPGRADE_FOREIGNPROGRAMS_H

#include "upgrade/verdict.h"

struct foreignprogram {
	const char *name; /* one that ends in '*' is the beginning of names */
	enum verdict verdict;
	const char *text;
};

/* The row for a program of that name, or NULL. */
const struct foreignprogram *foreignprograms_find(struct str name);

#endif
