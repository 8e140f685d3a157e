/*
 * logfield: what strangers chose, in a log line (contract-companions §1.2). Pure.
 */
#ifndef UCSPI_LOGFIELD_H
#define UCSPI_LOGFIELD_H

#include "base/buf.h"

/* Appends s: every byte that is not visible ASCII, `%` and `:` as `?`; after 100 bytes "...". */
void logfield_add(struct buf *out, struct str s);

#endif
