/*
 * inetaddr: Internet addresses in text and in sockets. Pure.
 */
#ifndef LISTENER_INETADDR_H
#define LISTENER_INETADDR_H

#include <sys/socket.h>

#include "base/buf.h"
#include "base/err.h"

#define INETADDR_TEXT 48 /* room for "xxxx:…:255.255.255.255" and a NUL */

struct inetaddr {
	bool v6;
	unsigned char ip[16]; /* 4 bytes in use, or 16 */
	uint16_t port;
};

/*
 * "1.2.3.4:25" or "[::1]:25". The address part may be empty or `*` for any
 * address: then *any is set, and both families are meant.
 */
bool inetaddr_parse(struct str text, struct inetaddr *a, bool *any, struct err *e);

/* "1.2.3.4" or "2001:db8::1", nothing else; port 0. */
bool inetaddr_parse_ip(struct str text, struct inetaddr *a);

/* IPv4 mapped into IPv6 (::ffff:1.2.3.4, RFC 4291 §2.5.5.2) becomes IPv4; anything else stays. */
void inetaddr_unmap(struct inetaddr *a);

/* From what accept(2) or getpeername(2) gave; false for other families. IPv4 mapped into IPv6 becomes IPv4. */
bool inetaddr_from(const struct sockaddr *sa, struct inetaddr *a);
/* Fills *ss; returns the length in use. */
socklen_t inetaddr_to(const struct inetaddr *a, struct sockaddr_storage *ss);

/* The address alone, without port and brackets. */
void inetaddr_text(const struct inetaddr *a, char text[INETADDR_TEXT]);
bool inetaddr_loopback(const struct inetaddr *a);
/* The same address, whatever the ports. */
bool inetaddr_same_ip(const struct inetaddr *a, const struct inetaddr *b);

/* Appends the labels under which DNS has it: "4.3.2.1." or the 32 nibbles with dots, without in-addr.arpa or ip6.arpa.
 */
void inetaddr_add_reversed(const struct inetaddr *a, struct buf *out);

/* The part of the address that one client owns: all of IPv4, the first 64 bits of IPv6. */
uint64_t inetaddr_client(const struct inetaddr *a);

#endif
