/*
 * tcpservice: tcpserver and sslserver but for what lies between connection
 * and program (contract-companions §1.2).
 */
#ifndef TCPSERVICE_TCPSERVICE_H
#define TCPSERVICE_TCPSERVICE_H

#include <sys/types.h>

#include "netrules/accessrules.h"
#include "netrules/connlimit.h"
#include "ucspi/useroptions.h"

struct tcpservice {
	const char *name;         /* the program's */
	const char *flags;        /* for the usage line, which is word for word that of the original */
	const char *more_options; /* for the usage line, with a space behind each */
	/*
	 * In the child, after the rules let the client in: prepares the
	 * connection further and says what the program gets for descriptors 0
	 * and 1 (io[0], io[1]). False: it said why, and the child ends. NULL:
	 * the program gets the connection.
	 */
	bool (*wrap)(struct tcpservice *t, const struct connection *c, int fd, int io[2], struct childenv *env);
	struct useroptions common;
	unsigned limit; /* children at most */
	int backlog;
	struct accessrules rules;
	struct connlimit connections; /* those of this child's client, in the child */
	const char *banner;           /* NULL: none */
	uid_t uid;                    /* 0: stay */
	gid_t gid;
	const char *proxies; /* whose connections begin with a PROXY header; NULL: nobody's */
	bool print_port, keep_options;
	const char *host;
	uint16_t port;
	char **program;

	int fd; /* the listening socket */
};

#define TCPSERVICE_LETTERS USEROPTIONS_LETTERS "UXx:u:g:b:B:c:C:pPoO1Z:"
#define TCPSERVICE_FLAGS "1UXpPhHrRoOdDqQv"

#define TCPSERVICE_INIT(program_name)                     \
	((struct tcpservice){ .name = (program_name),     \
			      .flags = TCPSERVICE_FLAGS,  \
			      .more_options = "",         \
			      .common = USEROPTIONS_INIT, \
			      .limit = 40,                \
			      .backlog = 20,              \
			      .rules = ACCESSRULES_INIT })

/*
 * Reads the command line; options that are not those above go to `more` (may
 * be NULL), which returns false for unknown ones. Ends the program with 100
 * and a usage line when it is wrong.
 */
void tcpservice_arguments(struct tcpservice *t, int argc, char **argv, const char *letters,
			  bool (*more)(struct tcpservice *t, int c, const char *value));

/* Listens, gives up root, and serves until TERM. */
_Noreturn void tcpservice_run(struct tcpservice *t);

/* Lines on descriptor 2, nothing when verbosity is below what they need. */
void service_say(const struct tcpservice *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void service_drop(const struct tcpservice *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void service_fatal(const struct tcpservice *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Accepts until TERM, which ends it at once; children go on. */
_Noreturn void service_loop(struct tcpservice *t);

/* In the child: prepares the connection on fd and becomes the program. */
_Noreturn void service_child(struct tcpservice *t, int fd, const struct inetaddr *peer);

#endif
