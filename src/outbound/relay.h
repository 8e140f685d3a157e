/*
 * relay: the values of control/smtproutes.
 *
 * A value names one relay or several, separated by blanks, which are tried in
 * order. Each is either
 *
 *	host, host:port, [address]:port
 *	scheme://user:password@host:port?option&option
 *
 * Schemes: smtp (port 25), smtps (TLS from the first byte, port 465), lmtp
 * (port 24), qmtp (port 209), qmtps (TLS from the first byte, port 6209), the
 * last two without users, and qmtp without TLS. Options: tls=no, tls=may, tls=must, tls=verify; auth=plain,
 * auth=login, auth=cram-md5 (may be repeated); chunking=no. In user and password %XX
 * stands for a byte. With a user, tls=verify is the default and only tls=no
 * lets the password go out in clear text; without, tls=may.
 */
#ifndef OUTBOUND_RELAY_H
#define OUTBOUND_RELAY_H

#include "base/err.h"
#include "smtpclient/clientsession.h"

#define RELAYS_MAX 20 /* in one value */
#define OUTBOUND_QMTP_PORT 209

struct relay {
	struct str host; /* a view into the value, without brackets */
	uint16_t port;
	bool verify;                  /* its certificate, by the system's authorities */
	struct session_policy policy; /* name is the host; anchors are not set */
	char *user, *password;        /* owned, what the policy refers to */
};

struct relays {
	struct relay *list; /* owned */
	size_t n;
};

/* False: one of them makes no sense; *r is empty then. The value must outlive *r. */
bool relays_parse(struct relays *r, struct str value, struct err *e);
void relays_free(struct relays *r);

#endif
