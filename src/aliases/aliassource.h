/*
 * aliassource: reading the text that an alias database or a list is made from,
 * and the names that go with it.
 */
#ifndef ALIASES_ALIASSOURCE_H
#define ALIASES_ALIASSOURCE_H

#include "base/buf.h"
#include "base/err.h"
#include "inject/rewrite.h"

struct alias_text {
	struct buf text;
	struct buf result, tmp;     /* the name of the file, with ".tmp" and with the suffix of the result */
	struct rewrite_rules rules; /* by which addresses are completed */
};

/*
 * Reads the file and the rules; use_environment as in setup_read_rules. Opens
 * the home. False with the reason, always temporary; free also then.
 */
bool alias_text_read(struct alias_text *t, const char *file, const char *suffix, bool use_environment, struct err *e);
void alias_text_free(struct alias_text *t);

#endif
