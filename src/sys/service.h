/*
 * service: what every long-running process of ours finds when it starts.
 *
 * qmail-start (or a developer's shell) runs a service with
 *   descriptor 2  the log: lines, one write each
 *   descriptor 3  its listening socket, made by qmail-start
 *   descriptor 5  where it says that it is ready
 * Started by hand without descriptor 3, a service makes run/<name> itself.
 * The caller's user is already the right one.
 */
#ifndef SYS_SERVICE_H
#define SYS_SERVICE_H

#include "base/err.h"
#include "sys/unixsock.h"

#define SERVICE_FD 3
#define SERVICE_READY_FD 5

/*
 * Enters the home and finds or makes the listening socket. The result is
 * non-blocking and close-on-exec.
 */
bool service_start(const char *name, enum unixsock_kind kind, mode_t mode, int *listenfd, struct err *e);

/* A further socket of the service: inherited as descriptor `fd`, or made as run/<name>. */
bool service_listen_also(int fd, const char *name, enum unixsock_kind kind, mode_t mode, int *listenfd, struct err *e);

/*
 * Tells qmail-start, if that started us, that nothing can fail any more before the first request is served. Call it
 * once, last before the loop: the system as a whole is up when all its services are.
 */
void service_ready(void);

/* Writes "name: text\n" to the log in one write; control bytes become '?'. */
void service_log(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
