/*
 * ownjournal: reaching the queue while the mail system is down.
 *
 * Whoever owns the queue, and root, can start a qmail-journal of their own
 * for one connection; it ends with it. home_open comes first.
 */
#ifndef SYS_OWNJOURNAL_H
#define SYS_OWNJOURNAL_H

#include "sys/unixsock.h"

/*
 * To be called after connecting has failed, with its error in *e. A stream
 * speaks as run/journal does, a packet socket as run/queue. False: the system
 * is not down, or the caller may not; *e is left alone unless there is more to
 * say.
 */
bool own_journal(enum unixsock_kind kind, int *fd, struct err *e);

#endif
