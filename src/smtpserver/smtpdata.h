/*
 * smtpdata: the content after DATA, decoded without I/O (RFC 5321 §4.5.2,
 * contract §12.4).
 *
 * CR LF becomes LF, one dot at the start of a line is removed, and exactly
 * CR LF . CR LF (at the very start: . CR LF) ends the data. An LF without CR
 * before it is an error. All other bytes, bare CR and NUL among them, are
 * content and stay. The result does not depend on how the input is cut up.
 */
#ifndef SMTPSERVER_SMTPDATA_H
#define SMTPSERVER_SMTPDATA_H

#include "base/buf.h"

enum smtpdata_state {
	SMTPDATA_LINE_START, /* after CR LF, and at the beginning */
	SMTPDATA_DOT,        /* a dot at the start of a line */
	SMTPDATA_DOT_CR,     /* a dot at the start of a line and CR */
	SMTPDATA_TEXT,       /* within a line, not after CR */
	SMTPDATA_CR,         /* within a line after a CR that is not yet put out */
	SMTPDATA_END,        /* the end was read */
	SMTPDATA_BARE_LF,    /* broken, for good */
};

/* Takes input up to the end of the data off *input and appends the content to out. */
enum smtpdata_state smtpdata_decode(enum smtpdata_state state, struct str *input, struct buf *out);

#endif
