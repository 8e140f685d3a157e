/*
 * scriptwords: the words of a shell script, as far as a start script needs to
 * be understood to know which programs it runs and how. Pure. No variable is
 * looked up and no command is carried out: a word is what stands there, with
 * its quotes taken away.
 */
#ifndef UPGRADE_SCRIPTWORDS_H
#define UPGRADE_SCRIPTWORDS_H

#include "base/buf.h"

struct scriptwords {
	struct str rest;
	struct buf word;
	bool begin; /* the next word begins a command */
};

#define SCRIPTWORDS_MAX 4096 /* of a word; what is longer is cut */

static inline struct scriptwords scriptwords_begin(struct str script)
{
	return (struct scriptwords){ script, BUF_INIT(SIZE_MAX), true };
}

/*
 * The next word, a view until the call after it. *first: it begins a command
 * (behind a line end, ; | & or a parenthesis). False: there is none, and w is
 * empty.
 */
bool scriptwords_next(struct scriptwords *w, struct str *word, bool *first);

/* For who stops before. */
static inline void scriptwords_free(struct scriptwords *w)
{
	buf_free(&w->word);
}

#endif
