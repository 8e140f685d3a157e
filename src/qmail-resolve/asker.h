/*
 * asker: the connections of other processes to qmail-resolve.
 *
 * A connection may have ASKER_OPEN_MAX questions under way; more are not read
 * until some are answered, so an asker that floods waits for itself only. A
 * malformed packet ends its connection.
 */
#ifndef QMAIL_RESOLVE_ASKER_H
#define QMAIL_RESOLVE_ASKER_H

#define ASKER_OPEN_MAX 1000
#define ASKER_CONNECTIONS_MAX 4000

struct askers;
struct event_base;
struct lookups;

/* Accepts on listenfd from now on. */
struct askers *askers_new(struct event_base *base, int listenfd, struct lookups *lookups);
void askers_free(struct askers *all);

#endif
