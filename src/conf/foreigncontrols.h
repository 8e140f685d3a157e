/*
 * foreigncontrols: files in control/ that patched qmails read and this mail
 * system does not. What controls.h knows is not in here. One table, for
 * qmail-showctl and quill upgrade-check.
 */
#ifndef CONF_FOREIGNCONTROLS_H
#define CONF_FOREIGNCONTROLS_H

#include <stdbool.h>

struct foreigncontrol {
	const char *name;    /* one that ends in '*' is the beginning of names */
	const char *reader;  /* "the … patch", or a program that is no part of qmail */
	const char *instead; /* what is to be done here; "" for nothing */
	bool own_program;    /* the reader is a program of its own, for which the file goes on to count */
};

/* The row for a file of that name, or NULL. */
const struct foreigncontrol *foreigncontrols_find(const char *name);

#endif
