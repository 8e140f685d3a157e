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
};

/*
 * Starts it for the connection fd, which is closed here, and waits for the
 * handshake. io[0] is where the program will read plain text, io[1] where it
 * writes; *words gets version and cipher. False: why not.
 */
bool tlshelper_start(const struct tlshelper *h, int fd, int io[2], struct buf *words, struct err *e);

#endif
