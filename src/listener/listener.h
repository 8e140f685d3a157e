/*
 * listener: TCP listening sockets and a forked child for each connection.
 *
 * Everything a child needs is loaded before; the child is a fork without
 * exec. If wanted, a child that has ended a session well may wait a moment
 * for another connection of the same client (see idle.h). The number of children is limited, in total and for each
 * client address (IPv6: each /64); beyond the limits a client gets one line of text and is disconnected. A shortage of
 * descriptors or processes makes the listener pause, never spin.
 *
 * TERM or INT: no new connections; running children get `grace` seconds,
 * then TERM. HUP: the reload callback.
 *
 * One listener a process: signals belong to the process.
 */
#ifndef LISTENER_LISTENER_H
#define LISTENER_LISTENER_H

#include "base/buf.h"
#include "listener/idle.h"
#include "listener/inetaddr.h"

#define LISTENER_SOCKETS_MAX 64

struct listener_config {
	unsigned max_children;
	unsigned max_per_client; /* loopback clients do not count; 0: no limit */
	unsigned io_timeout;     /* seconds that a read or write of a child may take: EAGAIN then */
	unsigned grace;          /* seconds for children after TERM */
	unsigned keep_ms;        /* how long a child waits for another connection; 0: each serves one */
	const char *busy;        /* sent over the total limit: a whole line with CR LF */
	const char *busy_client; /* sent over the limit of one client */
	/*
	 * Serves the connection; runs in the child, which ends with the value returned, or, with keep_ms, after 0
	 * may get another connection of the same client. fd is closed by the caller.
	 */
	int (*serve)(void *ctx, int fd, const struct inetaddr *peer);
	/* HUP; runs in the parent. May be NULL. */
	void (*reload)(void *ctx);
	/* Called in the parent at most once a second, before connections are accepted. May be NULL. */
	void (*refresh)(void *ctx);
	/* A line for the log, without line end. */
	void (*log)(void *ctx, const char *line);
	void *ctx;
};

struct listener_child;

struct listener {
	struct listener_config config;
	int fds[LISTENER_SOCKETS_MAX];
	size_t nfds;
	struct listener_child *children; /* owned; those with a connection */
	size_t nchildren;
	struct idle idle;
	size_t from_client; /* in a child: the connections of its client when it began, that one included */
	unsigned settings;  /* counts reloads: a child keeps the settings that it started with */
	int64_t refreshed;  /* monotonic ms */
	int64_t complained;
};

#define LISTENER_INIT ((struct listener){ .idle = IDLE_INIT })

/*
 * Opens a listening socket for "ADDRESS:PORT" (see inetaddr_parse; any
 * address: one socket for each family the machine has). To be done while
 * still root. *bound gets one line for each socket, as "ADDRESS:PORT\n".
 */
bool listener_bind(struct listener *l, struct str where, struct buf *bound, struct err *e); /* listener_bind.c */

/* Accepts and serves until TERM or INT and the children's end. Returns false when it could not even begin. */
bool listener_run(struct listener *l, const struct listener_config *config, struct err *e);

/* To be called when reload or refresh has changed what children work with: the idle ones have the old settings. */
void listener_new_settings(struct listener *l);

/* Closes the sockets and frees memory. */
void listener_close(struct listener *l);

#endif
