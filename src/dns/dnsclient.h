/*
 * dnsclient: asking qmail-resolve (run/resolve of the home).
 *
 * Two forms: dns_query blocks, for programs that do one thing; a dns_client
 * keeps one connection and many questions under way, for event loops. Neither
 * fails: when qmail-resolve is not there, does not answer in time or talks
 * nonsense, the answer is DNS_TEMPORARY and says so in words.
 */
#ifndef DNS_DNSCLIENT_H
#define DNS_DNSCLIENT_H

#include "dns/dnsanswer.h"

/* qmail-resolve gives every lookup 30 s; askers wait a little longer. */
#define DNS_TIMEOUT_MS 35000

/* Fills *a, to be released with dns_answer_free. home_open comes first. */
void dns_query(enum dns_type type, struct str name, int timeout_ms, struct dns_answer *a);

struct dns_client;

/* The answer is valid during the call. The callback may ask and cancel. */
typedef void dns_callback(void *ctx, const struct dns_answer *a);

/*
 * `watch` tells the event loop which descriptor to wait on for reading:
 * called with the new one after connecting, with -1 before it is closed.
 */
struct dns_client *dns_client_new(void (*watch)(void *ctx, int fd), void *ctx);
void dns_client_free(struct dns_client *c);

/*
 * Asks; the callback comes later from dns_client_readable or dns_client_tick,
 * never from here. Returns the question's number for dns_client_cancel.
 */
uint32_t dns_client_ask(struct dns_client *c, enum dns_type type, struct str name, dns_callback *callback, void *ctx);
/* The callback will not come. Unknown numbers have no effect. */
void dns_client_cancel(struct dns_client *c, uint32_t id);

/* To be called when the descriptor is readable. */
void dns_client_readable(struct dns_client *c);

/*
 * To be called about once a second: connects again and
 * repeats questions after qmail-resolve was restarted, ends those that took
 * longer than DNS_TIMEOUT_MS.
 */
void dns_client_tick(struct dns_client *c);

#endif
