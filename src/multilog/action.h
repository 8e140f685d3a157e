/*
 * action: multilog's command line, one action for each argument, and what it
 * makes of a line (contract-companions §2.3).
 */
#ifndef MULTILOG_ACTION_H
#define MULTILOG_ACTION_H

#include "base/str.h"

#define ACTION_LINE_MAX 1000 /* as much of a line as patterns, e and = see */

struct actions;

/* Opens files and directories. Ends the program with 111 when one cannot be had. */
struct actions *actions_prepare(const char *me, char *const *arguments);

/*
 * Decides where a line goes by its start: all of it without its LF, or its first ACTION_LINE_MAX bytes. `raw`, the
 * same with the LF if it is there, goes to directories.
 */
void actions_line(struct actions *a, struct str line, struct str raw);
/* More of the same line, for directories only. */
void actions_more(struct actions *a, struct str piece);

/* What is in memory goes out: before waiting for input. */
void actions_flush(struct actions *a);
/* New files in all directories. */
void actions_rotate(struct actions *a);
/* In good order. */
void actions_close(struct actions *a);

#endif
