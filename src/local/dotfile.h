/*
 * dotfile: which .qmail file controls an address, found and opened in the
 * current directory, which is the user's home (contract §10.3).
 */
#ifndef LOCAL_DOTFILE_H
#define LOCAL_DOTFILE_H

#include "base/buf.h"
#include "base/err.h"

#define DOTFILE_MAX (16u << 20) /* larger .qmail files are refused */

struct dotfile {
	bool found;
	bool executable;         /* the owner's x bit: forwards only */
	bool default_set;        /* DEFAULT is to be set to … */
	struct str default_part; /* … this: a view into ext */
	struct buf content;      /* of the file; owned */
};

#define DOTFILE_INIT ((struct dotfile){ .content = BUF_INIT(DOTFILE_MAX) })

/*
 * Looks for `.qmail<dash><ext>`, then for its -default files, and reads the
 * first that is there. No such file is no error (found is false). False, with
 * the text for the report: trouble on the way, always temporary.
 */
bool dotfile_find(struct dotfile *f, struct str dash, struct str ext, struct err *e);

/* Does `.qmail<dash><ext><suffix>` exist? False, with the text for the report: it cannot be found out now. */
bool dotfile_exists(struct str dash, struct str ext, struct str suffix, bool *exists, struct err *e);

void dotfile_free(struct dotfile *f);

#endif
