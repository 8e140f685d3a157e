/*
 * tcpcaller: tcpclient and sslclient but for what lies between connection and
 * program (contract-companions §1.6).
 */
#ifndef TCPCALLER_TCPCALLER_H
#define TCPCALLER_TCPCALLER_H

#include "filter/childenv.h"
#include "ucspi/useroptions.h"

struct tcpcaller {
	const char *name; /* the program's */
	struct useroptions common;
	bool bind;
	struct inetaddr local;
	uint32_t seconds[2]; /* for each address, first and second round */
	const char *host;
	uint16_t port;
	char **program;
};

#define TCPCALLER_INIT(program_name) \
	((struct tcpcaller){ .name = (program_name), .common = USEROPTIONS_INIT, .seconds = { 2, 58 } })

#define TCPCALLER_LETTERS USEROPTIONS_LETTERS "i:p:T:"

/*
 * Reads the command line, or ends the program with 100 and a usage line.
 * Options that tcpclient does not have go to `more` (may be NULL), which
 * returns false for unknown ones.
 */
void tcpcaller_arguments(struct tcpcaller *t, int argc, char **argv, const char *letters,
			 bool (*more)(struct tcpcaller *t, int c, const char *value));

/* Connects and finds out about the connection; ends the program with 111 when that cannot be. Close-on-exec. */
int tcpcaller_connect(struct tcpcaller *t, struct connection *c);

/* Becomes the program, with `from` as descriptor 6 and `to` as 7. */
_Noreturn void tcpcaller_run(const struct tcpcaller *t, int from, int to, const struct childenv *env);

/* "NAME: fatal: …" unless it is to be silent, and 111. */
_Noreturn void tcpcaller_fatal(const struct tcpcaller *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
