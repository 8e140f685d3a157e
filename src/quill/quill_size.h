/*
 * quill_size: quotas as people write them. Pure.
 */
#ifndef QUILL_QUILL_SIZE_H
#define QUILL_QUILL_SIZE_H

#include "mailbox/maildirsize.h"

/* "100M", "100M,1000C", "10000000S,1000C", "none". False: none of these. */
bool quill_size_parse(struct str text, struct maildir_quota *q);
/* The same the other way; "0" for nothing. */
void quill_size_format(struct buf *b, const struct maildir_quota *q);

#endif
