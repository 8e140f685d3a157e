/*
 * tlsrelay: TLS between a socket and a program that knows nothing of it: one
 * process, two pipes.
 */
#ifndef TLSRELAY_TLSRELAY_H
#define TLSRELAY_TLSRELAY_H

#include "base/err.h"
#include "tls/tlsclient.h"
#include "tls/tlsserver.h"

/* One of the two; the other is NULL. */
struct tls_side {
	struct tls_server *server;
	struct tls_client *client;
};

/* The handshake on a non-blocking socket, by `deadline` (monotonic ms). */
bool tlsrelay_handshake(const struct tls_side *t, int fd, int64_t deadline, struct err *e);

/* What is between: the other side of TLS, and the program. All are non-blocking. */
struct tlsrelay_ends {
	int in, out;  /* from and to the other side; may be the same */
	int from, to; /* the program; both are closed in the end. Of one socket, these are two descriptors. */
};

/*
 * Copies until the program has closed its output and all of it is sent, or
 * nothing moves for idle_ms. The program sees the end of its input when the
 * other side has ended.
 */
void tlsrelay_run(const struct tls_side *t, const struct tlsrelay_ends *ends, int64_t idle_ms);

/* Appends version and cipher: "TLSv1.3 TLS_AES_256_GCM_SHA384". */
void tlsrelay_describe(const struct tls_side *t, struct buf *to);
/* Appends what tlsvariables.h lists. */
void tlsrelay_variables(const struct tls_side *t, struct buf *to);

#endif
