/*
 * header: where the header fields of a message begin and end.
 *
 * A field is a line "name:" (name of printable bytes without blanks; blanks
 * may stand before the colon) and the lines after it that begin with a space
 * or tab. The header ends at the first empty line, at the first line that is
 * no field, or with the message (contract §13.3, RFC 5322 §2.2).
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "base/str.h"

/* The name when line begins a field; the empty view when it does not. */
struct str header_name(struct str line);

/* What stands behind the colon of a field, with its line ends; empty when there is no colon. */
struct str header_body(struct str field);

enum header_item {
	HEADER_MORE,      /* more data is needed */
	HEADER_FIELD,     /* a field, with its continuation lines and final LF */
	HEADER_MBOX_LINE, /* a "From " line, with what continues it */
	HEADER_BLANK,     /* the empty line; the body follows */
	HEADER_BODY,      /* a line that is no field: the empty line is missing; nothing was taken */
	HEADER_EOF        /* the message ends here */
};

/* How far the field at the front of the data has been looked at; start with all zero. */
struct header_scan {
	size_t searched;
	bool continues;
};

/*
 * Looks at the front of `data`. Unless the result is HEADER_MORE, HEADER_BODY
 * or HEADER_EOF, takes *item off it. After HEADER_MORE call again with the
 * same data and more behind it; no byte is looked at again for that. at_end:
 * data is all there is; the last line may then lack its LF.
 */
enum header_item header_take(struct header_scan *scan, struct str *data, bool at_end, struct str *item);

#endif
