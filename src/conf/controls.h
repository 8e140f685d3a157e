/*
 * controls: all files in control/ that this mail system knows. One table, from
 * which qmail-showctl, checks and documentation are fed. A program that reads
 * another file gets another row in controls.c.
 */
#ifndef CONF_CONTROLS_H
#define CONF_CONTROLS_H

#include <stdbool.h>
#include <stddef.h>

enum controls_kind {
	CONTROLS_LINE,
	CONTROLS_LINE_OR_ME, /* a line; without the file control/me applies, then `fallback` */
	CONTROLS_NUMBER,
	CONTROLS_LIST,
	CONTROLS_MAP,      /* a list of "key:value" */
	CONTROLS_DATABASE, /* made by a program of ours; never read as text */
	CONTROLS_PRESENT   /* a directory, or what is not for showing: only said to be there */
};

struct controls_file {
	const char *name;
	enum controls_kind kind;
	const char *readers; /* programs that read it */
	/* Value without the file; of a list: what its absence means. */
	const char *fallback;
	/* The value in words: `before` VALUE `after`. */
	const char *before;
	const char *after;
	/* qmail does not have it: qmail-showctl is silent about it while it is absent. */
	bool ours;
};

/* The table, in qmail-showctl's order; *n rows. */
const struct controls_file *controls_all(size_t *n);

/* The row of that name, or NULL. */
const struct controls_file *controls_find(const char *name);

#endif
