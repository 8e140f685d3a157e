/*
 * destination: from the domain of a remote delivery to the addresses to try
 * (contract §11.2), without I/O.
 *
 *	destination_begin(&d, &settings, host);
 *	if (d.ask)
 *		destination_answer(&d, &settings, answer to (d.ask, d.ask_name));
 *	then d.addresses in the order in which to try them, or d.letter and d.text;
 *	when that fails and destination_next, the same again.
 */
#ifndef OUTBOUND_DESTINATION_H
#define OUTBOUND_DESTINATION_H

#include "dns/dnsanswer.h"
#include "outbound/outsettings.h"

struct destination {
	struct str host;             /* the caller's memory */
	uint16_t port;               /* see destination_port */
	const struct relays *relays; /* by smtproutes; NULL: the domain's exchangers */
	size_t relay;                /* which one it is */
	bool soft;                   /* one before might have done */
	uint8_t ask;                 /* the dns_type to ask for, 0: nothing */
	struct str ask_name;         /* in host or in the settings */
	struct buf ascii;            /* host with A-labels, where it needs them */
	char letter;                 /* Z or D: no address to try, and why is in text */
	struct buf text;             /* the report qmail-remote makes */
	struct buf detail;           /* a further line, in words; may be empty */
	enum family family;          /* for this domain */
	size_t n;
	struct peeraddress addresses[DNS_SET_MAX];
	bool qmtp[DNS_SET_MAX]; /* by QMTP, which the exchanger's preference says (MXPS); the same by SMTP comes next */
	/* The hosts that the addresses belong to: where each one's name begins in `names`, and its end. */
	uint32_t name_at[DNS_SET_MAX], name_end[DNS_SET_MAX];
	struct buf names;
};

/* `host` and the settings must live until the answer was given. */
void destination_begin(struct destination *d, const struct outsettings *s, struct str host);
void destination_answer(struct destination *d, const struct outsettings *s, const struct dns_answer *a);

/* All addresses failed, or there was none: true when there is another relay, as after destination_begin. */
bool destination_next(struct destination *d);

/* The host that the i-th address belongs to. */
struct str destination_name(const struct destination *d, size_t i);

/* Of the i-th address. */
uint16_t destination_port(const struct destination *d, size_t i);

/*
 * How to speak to the i-th address. What it refers to lives as long as d and the settings. False: it must be left out,
 * for QMTP has no TLS that must be.
 */
bool destination_policy(const struct destination *d, struct outsettings *s, size_t i, struct session_policy *p);

/* Milliseconds for connecting to the i-th address: few when the other family comes later. */
int64_t destination_connect_ms(const struct destination *d, const struct outsettings *s, size_t i);

void destination_free(struct destination *d);

#endif
