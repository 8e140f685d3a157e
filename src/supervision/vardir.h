/*
 * vardir: a directory whose files are environment variables
 * (contract-companions §2.2, envdir).
 */
#ifndef SUPERVISION_VARDIR_H
#define SUPERVISION_VARDIR_H

#include "base/buf.h"

/*
 * What a file with this content makes of its variable: its first line without
 * blanks and tabs at the end, NUL bytes as line ends. False for an empty file,
 * which removes the variable.
 */
bool vardir_value(struct str content, struct buf *value);

#endif
