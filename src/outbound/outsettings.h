/*
 * outsettings: the control files of remote delivery (contract §2.2).
 *
 *   helohost        our name in HELO and EHLO; without the file: me
 *   smtproutes      domain:relay[:port] …; outbound/relay.h
 *   clientcert.pem, tlsclientciphers, tlshosts/, notlshosts/  TLS; outbound/tlshosts.h
 *   outgoingip      addresses that connections come from, one for each family
 *   timeoutconnect  seconds for connecting to one address
 *   timeoutremote   seconds for one reply, and for each piece of a message to go out
 *   chunkingremote  0: no BDAT
 *   concurrencyperhost  sessions with one address at a time (qmail-rspawn)
 */
#ifndef OUTBOUND_OUTSETTINGS_H
#define OUTBOUND_OUTSETTINGS_H

#include "conf/control.h"
#include "outbound/ownaddress.h"
#include "outbound/relay.h"
#include "outbound/tlshosts.h"

struct outroute {
	struct relays relays;
	bool bad; /* the line makes no sense */
};

struct outsettings {
	struct buf helo;
	struct buf me;
	struct control_map smtproutes;
	struct outroute *routes; /* one for each line of smtproutes */
	struct tlshosts tls;
	struct peeraddress outgoing[2]; /* where connections come from: IPv4, IPv6 */
	bool has_outgoing[2];
	uint64_t timeout_connect; /* seconds, at least 1 */
	uint64_t timeout_remote;
	uint64_t per_host;
	uint64_t chunking;
	struct ownaddresses own;
};

/* False: a file cannot be read, or there is no name to say in HELO. *s is empty then. */
bool outsettings_load(struct outsettings *s, struct err *e);
void outsettings_free(struct outsettings *s);

/* The relays of a value found in smtproutes; NULL: they make no sense. */
const struct relays *outsettings_relays(const struct outsettings *s, struct str value);

/* Gives the socket the address that connections of its family come from. False with errno: it cannot be used. */
bool outsettings_bind(const struct outsettings *s, int fd, bool v6);

/* A number that changes when any of the files does, but those for TLS: see tlshosts_fingerprint. */
uint64_t outsettings_fingerprint(void);

#endif
