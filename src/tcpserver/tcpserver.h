/*
 * tcpserver: its settings, and what its parts do for each other.
 */
#ifndef TCPSERVER_TCPSERVER_H
#define TCPSERVER_TCPSERVER_H

#include <sys/types.h>

#include "cdb/cdbfile.h"
#include "ucspi/connection.h"
#include "ucspi/hostaddr.h"

struct tcpserver {
	unsigned verbosity; /* 0 nothing, 1 trouble, 2 everything */
	unsigned limit;     /* children at most */
	int backlog;
	const char *rules_path; /* NULL: everybody is let in */
	bool rules_may_miss;
	const char *banner; /* NULL: none */
	uid_t uid;          /* 0: stay */
	gid_t gid;
	const char *proxies; /* whose connections begin with a PROXY header; NULL: nobody's */
	bool print_port, keep_options, no_delay;
	struct connection_wishes names;
	enum hostaddr_family family;
	const char *host, *port;
	char **program;

	int fd; /* the listening socket */
	struct cdbfile rules;
	bool rules_ok;
	struct err rules_error; /* why not */
};

/* Lines on descriptor 2, nothing when verbosity is below what they need. */
void server_log(const struct tcpserver *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void server_drop(const struct tcpserver *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void server_fatal(const struct tcpserver *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Accepts until TERM, which ends it at once; children go on. */
_Noreturn void server_loop(struct tcpserver *t);

/* In the child: prepares the connection on fd and becomes the program. */
_Noreturn void server_child(struct tcpserver *t, int fd, const struct inetaddr *peer);

#endif
