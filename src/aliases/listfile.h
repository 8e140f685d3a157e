/*
 * listfile: putting a small file in place so that readers always find a whole
 * one.
 */
#ifndef ALIASES_LISTFILE_H
#define ALIASES_LISTFILE_H

#include "base/err.h"
#include "base/str.h"

/*
 * Writes content to tmp, with mode 0644 less the umask, syncs it, and renames
 * it to path, in the same directory. The old file stays when something fails.
 */
bool listfile_replace(const char *path, const char *tmp, struct str content, struct err *e);

#endif
