/*
 * idle: child processes that wait for another connection of the client that
 * they have served. Starting a process costs more than a short session, and
 * who sends one message a session opens many; another client never gets a
 * process that has served somebody else, so whatever one client does to its
 * process stays its own.
 *
 * A child that has ended a session well makes a pair of sockets and sends one
 * of them to the parent; a connection comes back over it, or its end when no
 * more is wanted. The kernel tells the parent which child is speaking.
 */
#ifndef LISTENER_IDLE_H
#define LISTENER_IDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "listener/inetaddr.h"

#define IDLE_MAX 32

struct idle_child {
	pid_t pid;
	struct inetaddr client; /* the port means nothing */
	int channel;            /* takes a connection */
	int64_t since;          /* monotonic ms */
};

struct idle {
	int parent, child;                   /* the pair over which children speak up; -1: nobody may wait */
	struct idle_child waiting[IDLE_MAX]; /* the longest idle first */
	size_t n;
};

#define IDLE_INIT ((struct idle){ .parent = -1, .child = -1 })

/* Makes the sockets. Where that fails, all below does nothing and no child will wait. */
void idle_open(struct idle *i);
/* Lets all go and hears nobody any more: children that finish a session from now on end. */
void idle_close(struct idle *i);

/* In a new child: closes what is the parent's. */
void idle_become_child(struct idle *i);
/* In a child: waits for another connection. False: there will be none. Blocks. */
bool idle_wait(struct idle *i, int *fd, struct inetaddr *client);

/* The next child that has spoken up; its channel is the caller's. 0: none, for now. Never blocks. */
pid_t idle_hear(struct idle *i, int *channel);
/* Keeps that child, at the cost of the longest idle one when there are too many. Takes the channel over. */
void idle_add(struct idle *i, pid_t pid, const struct inetaddr *client, int channel);
/* Hands a connection to a child of the same client: that child, which is no longer idle, or 0. fd stays the caller's.
 */
pid_t idle_give(struct idle *i, int fd, const struct inetaddr *client);
/* That process has ended. */
void idle_ended(struct idle *i, pid_t pid);
/* Lets those go that have been waiting since `before` (monotonic ms) or longer. */
void idle_expire(struct idle *i, int64_t before);

#endif
