/*
 * glance: what a message is about, in one line for a terminal. Pure.
 *
 * Strangers write messages: every byte that could do something to a terminal
 * becomes '?'.
 */
#ifndef MAILBOX_GLANCE_H
#define MAILBOX_GLANCE_H

#include "base/buf.h"

#define GLANCE_WIDTH 78

/*
 * Appends the subject and then the body of the message that begins with
 * `start`, blanks and line ends run together, at most GLANCE_WIDTH bytes.
 */
void glance_text(struct buf *out, struct str start);

/* Appends what the first field of this name holds, without line ends; nothing when there is none. */
void glance_field(struct buf *out, struct str start, struct str name);

/* Appends s with '?' for what is not printable ASCII. */
void glance_add(struct buf *out, struct str s);

#endif
