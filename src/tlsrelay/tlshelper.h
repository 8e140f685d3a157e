/*
 * tlshelper: a child process that speaks TLS for the program that this one
 * will become. It has the connection and two pipes, and can do nothing else.
 */
#ifndef TLSRELAY_TLSHELPER_H
#define TLSRELAY_TLSHELPER_H

#include "tlsrelay/tlsrelay.h"

struct tlshelper {
	struct tls_side (*begin)(void *ctx); /* in the helper */
	void *ctx;
	int64_t handshake_ms, idle_ms;
	bool variables; /* the program will want what tlsvariables.h lists */
};

/* What is known after a handshake. */
struct tlshelper_result {
	struct buf words;     /* version and cipher */
	struct buf variables; /* "NAME=value" NUL … */
};

#define TLSHELPER_RESULT_INIT \
	((struct tlshelper_result){ .words = BUF_INIT(1000), .variables = BUF_INIT(TLSHELPER_MAX) })
#define TLSHELPER_MAX (1u << 20)

/*
 * Starts it for the connection fd, which is closed here, and waits for the
 * handshake. io[0] is where the program will read plain text, io[1] where it
 * writes. False: why not.
 */
bool tlshelper_start(const struct tlshelper *h, int fd, int io[2], struct tlshelper_result *result, struct err *e);

/*
 * Starts it for later: the program begins in the clear, on the connection
 * itself, and says on *control when TLS is to begin ("UCSPI-TLS"): by `y`, or by
 * `Y`, which is answered there with the variables and a NUL behind the last.
 * Then it goes on with io. *control ends when the handshake fails.
 */
bool tlshelper_delay(const struct tlshelper *h, int fd, int io[2], int *control, struct err *e);

#endif
