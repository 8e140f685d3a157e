/*
 * dnspacket: from a DNS answer packet to checked records.
 *
 * The resolver library validates and caches; what is inside the records is
 * ours to check, as if it came straight from a hostile server. A malformed
 * record is skipped; when nothing else is left, the outcome is temporary.
 */
#ifndef DNSMESSAGE_DNSPACKET_H
#define DNSMESSAGE_DNSPACKET_H

#include "dns/dnsanswer.h"

/* Aliases (CNAME) followed inside one answer; more is a temporary failure. */
#define DNSPACKET_ALIASES_MAX 16

struct dnspacket_set {
	enum dns_outcome outcome; /* DNS_FOUND, DNS_NO_NAME, DNS_NO_DATA, DNS_NULL_MX or DNS_TEMPORARY */
	const char *why;          /* for DNS_TEMPORARY: words, a constant */
	uint32_t ttl;             /* the smallest of the records and aliases used */
	size_t total;             /* good records in the packet */
	size_t n;                 /* records kept: the first DNS_SET_MAX in order */
	struct dns_record records[DNS_SET_MAX];
	struct buf storage; /* behind the records' views */
};

/*
 * Reads the records of `type` (DNS_A, DNS_AAAA, DNS_MX, DNS_TXT, DNS_PTR,
 * DNS_TLSA) that answer the packet's question. They come in a fixed order: MX by
 * preference and name, others by their bytes. Fills *set, to be released with
 * dnspacket_set_free.
 */
void dnspacket_read(struct str packet, enum dns_type type, struct dnspacket_set *set);
void dnspacket_set_free(struct dnspacket_set *set);

/* The DNS's own number of a type (RFC 1035 §3.2.2). */
int dnspacket_rrtype(enum dns_type type);

#endif
