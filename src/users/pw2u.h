/*
 * pw2u: users/assign from a password file (contract §3.5). Pure, but for
 * looking at home directories.
 */
#ifndef USERS_PW2U_H
#define USERS_PW2U_H

#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"

enum pw2u_homes {
	PW2U_OWNED,   /* -o: without a home of its own an account gets no mail */
	PW2U_PRESENT, /* -h: a missing home is an error */
	PW2U_ANY,     /* -H: homes do not matter */
};

/* A file in users/: lines, '#' comments and empty lines skipped. */
struct pw2u_file {
	bool present;
	struct str text;
};

struct pw2u_rules {
	enum pw2u_homes homes;
	bool uppercase;    /* -u: accounts with capital letters too */
	bool no_extension; /* -C */
	bool slash;        /* -/: extensions are in files below .qmail-/ */
	char break_char;
	struct pw2u_file include, exclude, mailnames, subusers, append;
	int (*stat)(const char *path, struct stat *st);
};

/* Appends the assignments, with the final '.' line. False with the reason; always temporary. */
bool pw2u_convert(struct str passwd, const struct pw2u_rules *rules, struct buf *out, struct err *e);

#endif
