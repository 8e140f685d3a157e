/*
 * delivery: what qmail-send says to qmail-lspawn and qmail-rspawn, and what
 * they answer.
 *
 * Both spawners listen on a packet socket in run/ (lspawn, rspawn) that only
 * qmail-send's user may use. One request packet, with the message attached as
 * a read-only, seekable descriptor, asks for one delivery: one message to one
 * or more recipients of one destination. The spawner answers with exactly one
 * result packet per recipient, in any order; the delivery ends with the last.
 * A spawner that dies answers nothing: qmail-send defers what it had there.
 *
 *   message    sender       receiver          largest size
 *   DELIVER    qmail-send   lspawn, rspawn    UNIXSOCK_PACKET_MAX
 *   RESULT     spawner      qmail-send        UNIXSOCK_PACKET_MAX
 */
#ifndef WIRE_DELIVERY_H
#define WIRE_DELIVERY_H

#include "wire/wire.h"

#define DELIVERY_ADDRESS_MAX 1003   /* longest envelope address */
#define DELIVERY_RECIPIENTS_MAX 100 /* in one request */
#define DELIVERY_WISH_MAX 500       /* longest ENVID or ORCPT */
#define DELIVERY_REPORT_MAX 10000   /* longest report text kept */

struct delivery_request {
	uint32_t id;          /* chosen by qmail-send; names the delivery in results */
	uint64_t message;     /* message number, for logs */
	uint64_t size;        /* bytes of content behind the descriptor */
	uint8_t flags;        /* DELIVERY_8BIT … */
	struct str sender;    /* as to be used for these recipients (VERP already expanded) */
	struct str host;      /* remote: the destination domain; local: empty */
	uint32_t nrecipients; /* 1..DELIVERY_RECIPIENTS_MAX; local: always 1 */
	struct str recipients[DELIVERY_RECIPIENTS_MAX];
	/* What the sender wants to hear (mail/dsn.h); all empty without DELIVERY_WISHES. */
	uint8_t ret;
	struct str envid;
	uint8_t notify[DELIVERY_RECIPIENTS_MAX];
	struct str orcpts[DELIVERY_RECIPIENTS_MAX];
};

#define DELIVERY_8BIT 1u
#define DELIVERY_SMTPUTF8 2u
#define DELIVERY_WISHES 4u
#define DELIVERY_AFRESH 8u /* remote: servers that did not answer lately are tried all the same */

struct delivery_result {
	uint32_t id;
	uint32_t recipient; /* index into the request's recipients */
	char letter;        /* K delivered, Z try again, D failed for good */
	struct str text;    /* the report (contract §9, §11), lines end in LF */
	uint8_t flags;      /* what it says about the destination: DELIVERY_UNREACHABLE … */
};

#define DELIVERY_UNREACHABLE 1u /* nobody was reached; the message has nothing to do with it */
#define DELIVERY_BUSY 2u        /* the server put the whole message off */
#define DELIVERY_REPORTS 4u     /* the server was told what to report, and will do so (RFC 3461) */

/* Appends one packet to b. */
void delivery_put_request(struct buf *b, const struct delivery_request *r);
void delivery_put_result(struct buf *b, const struct delivery_result *r);

/* Decode one packet; views point into it. False: malformed, end the connection. */
bool delivery_get_request(struct str packet, struct delivery_request *r);
bool delivery_get_result(struct str packet, struct delivery_result *r);

#endif
