/*
 * remotereport: what qmail-rspawn makes of a qmail-remote that it has run for one recipient (contract §9.3).
 */
#ifndef OUTBOUND_REMOTEREPORT_H
#define OUTBOUND_REMOTEREPORT_H

#include "base/buf.h"

/* `status`: as waitpid gives it. Returns K, Z or D and appends the text, whose lines end in LF. */
char remote_report(int status, struct str output, struct buf *text);

#endif
