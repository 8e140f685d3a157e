/*
 * serialreport: how a client tells maildirserial what became of a message
 * (contract-companions §5.1): name, NUL, a letter, text, LF. Pure.
 */
#ifndef SERIAL_SERIALREPORT_H
#define SERIAL_SERIALREPORT_H

#include "base/buf.h"

#define SERIALREPORT_TEXT 2000 /* bytes of a text */
#define SERIALREPORT_MAX 16384 /* of a report that is read */

/* Appends a report. K: it was taken; D: refused for good; Z: for now. Bytes that are not visible become '?'. */
void serialreport_add(struct buf *out, struct str name, char letter, struct str text);

enum serialreport {
	SERIALREPORT_MORE, /* no whole report is there yet */
	SERIALREPORT_ONE,
	SERIALREPORT_BAD,
};

/* Takes the first report off *bytes. */
enum serialreport serialreport_take(struct str *bytes, struct str *name, char *letter, struct str *text);

/* K, Z or D for an SMTP code. */
char serialreport_letter(int code);

#endif
