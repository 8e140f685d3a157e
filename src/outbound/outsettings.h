/*
 * outsettings: the control files of remote delivery (contract §2.2).
 *
 *   helohost, outgoingip, outgoingips  who we are; outbound/outidentity.h
 *   smtproutes      domain:relay[:port] …; outbound/relay.h
 *   clientcert.pem, tlsclientciphers, tlshosts/, notlshosts/  TLS; outbound/tlshosts.h
 *   addressfamily   IPv4 or IPv6; outbound/family.h
 *   moreipme        further addresses that are ourselves, on a router or balancer in front of us
 *   timeoutconnect  seconds for connecting to one address
 *   timeoutremote   seconds for one reply, and for each piece of a message to go out
 *   chunkingremote  0: no BDAT
 *   mxps            1: QMTP where the preference of an exchanger says it
 *   concurrencyperhost  sessions with one address at a time (qmail-rspawn)
 */
#ifndef OUTBOUND_OUTSETTINGS_H
#define OUTBOUND_OUTSETTINGS_H

#include "conf/control.h"
#include "outbound/family.h"
#include "outbound/outidentity.h"
#include "outbound/ownaddress.h"
#include "outbound/relay.h"
#include "outbound/tlshosts.h"

struct outroute {
	struct relays relays;
	bool bad; /* the line makes no sense */
};

struct outsettings {
	struct outidentities identities;
	struct buf me;
	struct control_map smtproutes;
	struct outroute *routes; /* one for each line of smtproutes */
	struct tlshosts tls;
	uint64_t timeout_connect; /* seconds, at least 1 */
	uint64_t timeout_remote;
	uint64_t per_host;
	uint64_t chunking, mxps;
	struct ownaddresses own;
	struct control_map families;
};

/* False: a file cannot be read, or there is no name to say in HELO. *s is empty then. */
bool outsettings_load(struct outsettings *s, struct err *e);
void outsettings_free(struct outsettings *s);

/* The relays of a value found in smtproutes; NULL: they make no sense. */
const struct relays *outsettings_relays(const struct outsettings *s, struct str value);

/* What control/addressfamily says for this domain. */
enum family outsettings_family(const struct outsettings *s, struct str domain);

/* A number that changes when any of the files does, but those for TLS: see tlshosts_fingerprint. */
uint64_t outsettings_fingerprint(void);

#endif
