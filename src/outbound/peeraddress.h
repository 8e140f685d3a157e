/*
 * peeraddress: the IP address of a mail server.
 */
#ifndef OUTBOUND_PEERADDRESS_H
#define OUTBOUND_PEERADDRESS_H

#include <sys/socket.h>

#include "base/str.h"

#define PEERADDRESS_TEXT_MAX 48

struct peeraddress {
	bool v6;
	unsigned char bytes[16]; /* the first 4 for IPv4 */
};

/* "192.0.2.1", "2001:db8::1"; also in brackets, and then with an `IPv6:` tag (RFC 5321 §4.1.3). */
bool peeraddress_parse(struct str text, struct peeraddress *a);

/* As text without brackets, with a NUL. */
void peeraddress_text(const struct peeraddress *a, char text[PEERADDRESS_TEXT_MAX]);

/* For connect(2); returns the length. */
socklen_t peeraddress_sockaddr(const struct peeraddress *a, uint16_t port, struct sockaddr_storage *sa);

bool peeraddress_eq(const struct peeraddress *a, const struct peeraddress *b);

/* Addresses that always lead back to this machine: 0.0.0.0/8, 127/8, ::, ::1, and IPv4 ones inside IPv6. */
bool peeraddress_is_loopback(const struct peeraddress *a);

#endif
