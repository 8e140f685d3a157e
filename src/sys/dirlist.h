/*
 * dirlist: the names in a directory, and what the directory itself knows of
 * their kinds.
 */
#ifndef SYS_DIRLIST_H
#define SYS_DIRLIST_H

#include <stdbool.h>

enum dirlist_kind { DIRLIST_REGULAR, DIRLIST_OTHER, DIRLIST_UNKNOWN /* not every file system says it */ };

/* Calls each() for every name but "." and "..", until it returns false. -1 with errno. */
int dirlist(int dirfd, bool (*each)(void *ctx, const char *name, enum dirlist_kind kind), void *ctx);

#endif
