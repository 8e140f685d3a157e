/*
 * asker: the connections of other processes to qmail-resolve.
 *
 * A connection may have ASKER_OPEN_MAX questions under way; more are not read
 * until some are answered, so an asker that floods waits for itself only. A
 * malformed packet ends its connection. Everybody on the machine may ask; users
 * who are none of ours get little of each, so that none of them can take DNS
 * from the mail system.
 */
#ifndef QMAIL_RESOLVE_ASKER_H
#define QMAIL_RESOLVE_ASKER_H

#define ASKER_OPEN_MAX 1000
#define ASKER_CONNECTIONS_MAX 4000
/* Of one user who is none of ours: connections, and questions under way on each. */
#define ASKER_FOREIGN_CONNECTIONS 50
#define ASKER_FOREIGN_OPEN 4

struct askers;
struct event_base;
struct lookups;
struct accounts;

/* Accepts on listenfd from now on. */
struct askers *askers_new(struct event_base *base, int listenfd, struct lookups *lookups, const struct accounts *ours);
void askers_free(struct askers *all);

#endif
