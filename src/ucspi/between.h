/*
 * between: a helper process between a program and its client (recordio, fixcrio;
 * contract-companions §1.5).
 *
 * The program is run by this very process, so that it keeps its process id;
 * the helper is a child of it. Each direction is copied for itself; neither
 * waits for the other.
 */
#ifndef UCSPI_BETWEEN_H
#define UCSPI_BETWEEN_H

#include "base/buf.h"

#define BETWEEN_CHUNK 256 /* bytes of one piece at most */

struct between {
	const char *me;
	/*
	 * A piece has come from the client (to_program) or from the program;
	 * what is to be passed on is appended to out. An empty piece is the end
	 * of that direction.
	 */
	void (*pass)(void *ctx, bool to_program, struct str data, struct buf *out);
	void *ctx;
	/* The helper calls it first with the program's process id. May be NULL. */
	void (*begin)(void *ctx, long pid);
};

/* Does not return: becomes the program, or says why not and exits 111. */
_Noreturn void between_run(const struct between *r, char *const *argv);

#endif
