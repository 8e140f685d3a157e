/*
 * linefilter: programs that change the lines of a stream as they pass. What
 * has been read is written before more is waited for.
 */
#ifndef LINELOG_LINEFILTER_H
#define LINELOG_LINEFILTER_H

#include "base/buf.h"

struct linefilter {
	/*
	 * Gets the input in pieces, in order: none spans lines, a line may come in several. `first` tells that a line
	 * begins with it; its LF, if it has come, is the last byte.
	 */
	void (*piece)(void *ctx, struct buf *out, struct str piece, bool first);
	/* At the end of the input; may be NULL. */
	void (*end)(void *ctx, struct buf *out);
	void *ctx;
};

/* From descriptor 0 to 1, until the end. The exit code for `me`: 0, or 111 when reading or writing failed. */
int linefilter_run(const char *me, const struct linefilter *filter);

#endif
