/*
 * proxyheader: what a proxy such as HAProxy says at the beginning of a
 * connection about the one it has passed on (PROXY protocol, versions 1 and
 * 2, as of haproxy.org/download/2.8/doc/proxy-protocol.txt).
 */
#ifndef UCSPI_PROXYHEADER_H
#define UCSPI_PROXYHEADER_H

#include "listener/inetaddr.h"

#define PROXYHEADER_V1_MAX 107
#define PROXYHEADER_V2_MAX 4096 /* longer ones, though allowed, are refused */

enum proxyheader {
	PROXYHEADER_MORE,  /* there must be more of it */
	PROXYHEADER_BAD,   /* it is none */
	PROXYHEADER_OWN,   /* the proxy speaks for itself, or does not say: the socket's addresses hold */
	PROXYHEADER_GIVEN, /* the addresses are filled in */
};

/*
 * Reads what has come. *wanted (for PROXYHEADER_MORE) is a number of further
 * bytes that belong to the header for certain. Pure.
 */
enum proxyheader proxyheader_parse(struct str got, struct inetaddr *remote, struct inetaddr *local, size_t *wanted);

/* Reads a header off the connection, and nothing behind it, by `deadline` (monotonic ms). Never PROXYHEADER_MORE. */
enum proxyheader proxyheader_read(int fd, int64_t deadline, struct inetaddr *remote, struct inetaddr *local);

#endif
