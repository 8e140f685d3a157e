/*
 * maildirmaker: new Maildirs and the directories above them, durably.
 */
#ifndef MAILBOX_MAILDIRMAKER_H
#define MAILBOX_MAILDIRMAKER_H

#include "base/err.h"

/*
 * Makes what is missing of the directories of `path`, and the Maildir's tmp,
 * new and cur in it, for nobody but their owner. What exists stays.
 */
bool maildir_make(const char *path, struct err *e);

#endif
