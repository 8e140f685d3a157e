/*
 * destination: from the domain of a remote delivery to the addresses to try
 * (contract §11.2), without I/O.
 *
 *	destination_begin(&d, &settings, host);
 *	if (d.ask)
 *		destination_answer(&d, &settings, answer to (d.ask, d.ask_name));
 *	then d.addresses in the order in which to try them, or d.letter and d.text.
 */
#ifndef OUTBOUND_DESTINATION_H
#define OUTBOUND_DESTINATION_H

#include "dns/dnsanswer.h"
#include "outbound/outsettings.h"

struct destination {
	struct str host; /* the caller's memory */
	uint16_t port;
	bool routed;         /* by smtproutes */
	uint8_t ask;         /* the dns_type to ask for, 0: nothing */
	struct str ask_name; /* in host or in the settings */
	char letter;         /* Z or D: no address to try, and why is in text */
	struct buf text;     /* the report qmail-remote makes */
	struct buf detail;   /* a further line, in words; may be empty */
	size_t n;
	struct peeraddress addresses[DNS_SET_MAX];
};

/* `host` and the settings must live until the answer was given. */
void destination_begin(struct destination *d, const struct outsettings *s, struct str host);
void destination_answer(struct destination *d, const struct outsettings *s, const struct dns_answer *a);
void destination_free(struct destination *d);

#endif
