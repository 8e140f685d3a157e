/*
 * assign: the grammar of users/assign (contract §3.1). Pure.
 *
 *   =local:user:uid:gid:homedir:dash:ext:      one address
 *   +prefix:user:uid:gid:homedir:dash:pre:     all addresses that begin so
 *   .                                          end of the file
 *
 * Any first byte but '+' and '.' means the same as '='. There are no comments.
 */
#ifndef USERS_ASSIGN_H
#define USERS_ASSIGN_H

#include "base/buf.h"

struct assign_line {
	bool wildcard;   /* begins with '+' */
	struct str name; /* the address or prefix, as spelled; may be empty */
	struct str data; /* "user:uid:gid:homedir:dash:ext", six fields */
};

enum assign_result {
	ASSIGN_LINE, /* *line is filled */
	ASSIGN_END,  /* the final '.' */
	ASSIGN_BAD,  /* a malformed line, or the file ends without '.' */
};

/* Takes the next line off *rest. Views point into *rest. */
enum assign_result assign_next(struct str *rest, struct assign_line *line);

/*
 * Appends key and value of the line's record in users/cdb (contract §3.2):
 * the key is '!', the name in lower case and, for one address, a NUL; the value
 * is the six fields separated by NULs.
 */
void assign_record(const struct assign_line *line, struct buf *key, struct buf *value);

#endif
