/*
 * notice_internal: what the files of a notice share. Not for others.
 *
 * notice_status.c: the part of a notice that is for programs (RFC 3464, RFC
 * 6533).
 */
#ifndef NOTICE_NOTICE_INTERNAL_H
#define NOTICE_NOTICE_INTERNAL_H

#include "notice/notice.h"

/* Appends its fields: a group for the message, one for each recipient, each with an empty line behind it. */
void notice_add_status(struct buf *out, const struct notice *n, bool utf8);

/* Has s a byte from 128 on? */
bool notice_has_8bit(struct str s);

#endif
