/*
 * dotqmail: the grammar of .qmail files (contract §10.4). Pure.
 *
 * Blanks and CRs at the end of a line do not count. The first byte says what
 * the line is:
 *
 *   (nothing)  ignored; as the very first line: a fault
 *   #          comment
 *   |          a program for /bin/sh
 *   / .        a Maildir when the line ends in '/', else an mbox
 *   &          a forward address
 *   +          "+list": only forwards from here on; others are ignored
 *   other      a forward address, all of the line
 */
#ifndef LOCAL_DOTQMAIL_H
#define LOCAL_DOTQMAIL_H

#include "base/buf.h"

enum dotqmail_kind {
	DOTQMAIL_END, /* no further line */
	DOTQMAIL_PROGRAM,
	DOTQMAIL_MAILDIR,
	DOTQMAIL_MBOX,
	DOTQMAIL_FORWARD,
	DOTQMAIL_BLANK_FIRST, /* the first line is blank: refuse to deliver */
	DOTQMAIL_NUL,         /* a line with a NUL byte: refuse to deliver */
};

struct dotqmail_line {
	enum dotqmail_kind kind;
	struct str text; /* command, path or address; a view into the file */
	bool forbidden;  /* a program or mailbox where only forwards are allowed */
};

struct dotqmail {
	struct str rest;
	bool first;        /* no line has been taken yet */
	bool forward_only; /* the file has its x bit, or "+list" was seen */
};

static inline struct dotqmail dotqmail_begin(struct str content, bool forward_only)
{
	return (struct dotqmail){ content, true, forward_only };
}

/* The next instruction; comments and ignored lines are skipped. */
struct dotqmail_line dotqmail_next(struct dotqmail *d);

#endif
