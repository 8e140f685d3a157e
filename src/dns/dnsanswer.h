/*
 * dnsanswer: what is asked of qmail-resolve, and what it answers.
 *
 * Other processes never see a DNS packet: they get parsed, checked records
 * and one outcome. The encoding travels over the packet socket run/resolve,
 * one question or answer a packet; questions carry a number that the answer
 * repeats, and answers come in any order.
 *
 *   message   sender          receiver        largest size
 *   ASK       any process     qmail-resolve   DNS_NAME_MAX + 16
 *   ANSWER    qmail-resolve   the asker       UNIXSOCK_PACKET_MAX
 *
 * Both decoders treat the other side as hostile: an asker is safe from a
 * resolver that sends arbitrary bytes.
 */
#ifndef DNS_DNSANSWER_H
#define DNS_DNSANSWER_H

#include "base/buf.h"

#define DNS_NAME_MAX 1004  /* longest domain name in text form, escapes included */
#define DNS_TEXT_MAX 65535 /* one TXT record, its strings joined */
#define DNS_WHY_MAX 300    /* words for a failure */
#define DNS_SOURCE_MAX 300 /* words for where an answer is from */
#define DNS_SET_MAX 100    /* records kept of one answer; the rest is dropped in a fixed order */
#define DNS_RECORDS_MAX (2 * DNS_SET_MAX)

/* What can be asked. Numbers are part of the protocol. */
enum dns_type {
	DNS_A = 1,
	DNS_AAAA = 2,
	DNS_MX = 3,
	DNS_TXT = 4,
	DNS_PTR = 5,
	/* Addresses of a host: A and AAAA records. */
	DNS_HOST = 6,
	/*
	 * Where mail for a domain goes: one MX record for each exchanger, in
	 * ascending order of preference, each followed by its A and AAAA
	 * records. A domain without MX records is its own exchanger, with
	 * preference 0 (RFC 5321 §5.1).
	 */
	DNS_MAIL = 7,
	/* What a TLS server's certificate must be like (RFC 6698). */
	DNS_TLSA = 8,
};
#define DNS_TYPE_LAST DNS_TLSA

enum dns_outcome {
	DNS_FOUND = 0,
	DNS_NO_NAME = 1,   /* the name does not exist */
	DNS_NO_DATA = 2,   /* it exists and has no such records */
	DNS_TEMPORARY = 3, /* not known now; `why` says why */
	DNS_NULL_MX = 4,   /* the domain says that it takes no mail (RFC 7505); DNS_MX and DNS_MAIL */
	DNS_BAD_MX = 5,    /* no exchanger has an address, and some are IP addresses in place of names; DNS_MAIL */
	DNS_DEAD_MX = 6,   /* there are exchangers, and none of them has an address; DNS_MAIL */
};
#define DNS_OUTCOME_LAST DNS_DEAD_MX

enum dns_security {
	DNS_INSECURE = 0,
	DNS_BOGUS = 1, /* signatures are there and wrong; the outcome is temporary then */
	DNS_SECURE = 2,
};
#define DNS_SECURITY_LAST DNS_SECURE

struct dns_record {
	uint8_t type;        /* DNS_A, DNS_AAAA, DNS_MX, DNS_TXT, DNS_PTR or DNS_TLSA */
	uint8_t outcome;     /* MX in a DNS_MAIL answer: how the search for its addresses ended; else DNS_FOUND */
	uint8_t security;    /* of the set that this record is from */
	uint16_t preference; /* MX, and addresses in a DNS_MAIL answer */
	struct str name;     /* MX: the exchanger; PTR: the name; addresses: the host they belong to */
	struct str data;     /* A: 4 bytes; AAAA: 16; TXT: the text; TLSA: 3 bytes, then at least 1; else empty */
};

struct dns_answer {
	uint32_t id;
	uint8_t outcome;
	uint8_t security;
	bool cut;          /* there were more than DNS_SET_MAX records */
	uint32_t ttl;      /* seconds for which it may be kept; 0 for failures */
	struct str why;    /* in words, for DNS_TEMPORARY and DNS_BAD_MX */
	struct str source; /* where the answer is from, in words, as far as it is known */
	uint32_t n;
	struct dns_record records[DNS_RECORDS_MAX];
	struct buf storage; /* memory behind the views where the answer owns it; see dns_answer_free */
};

struct dns_question {
	uint32_t id;
	uint8_t type;
	struct str name;
};

/* Append one packet to b. */
void dns_put_question(struct buf *b, const struct dns_question *q);
void dns_put_answer(struct buf *b, const struct dns_answer *a);

/* Decode one packet; views point into it. False: malformed, end the connection. */
bool dns_get_question(struct str packet, struct dns_question *q);
bool dns_get_answer(struct str packet, struct dns_answer *a);

/* Makes *a a temporary failure with these words, which must outlive it. */
void dns_answer_fail(struct dns_answer *a, const char *why);

/* Releases what the answer owns and empties it. */
void dns_answer_free(struct dns_answer *a);

#endif
