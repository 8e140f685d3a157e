/*
 * stubresolver: DNS for programs that run without a mail system: the C
 * library's resolver asks, dnsmessage reads the answer.
 *
 * Servers: $DNSCACHEIP (IPv4 addresses joined by dots; each may have @PORT
 * behind it), else those of /etc/resolv.conf. The C library asks three at
 * most.
 */
#ifndef UCSPI_STUBRESOLVER_H
#define UCSPI_STUBRESOLVER_H

#include "dnsmessage/dnspacket.h"

/* Fills *set, to be released with dnspacket_set_free. Blocks; every trouble is DNS_TEMPORARY with words in set->why. */
void stubresolver_ask(enum dns_type type, struct str name, struct dnspacket_set *set);

/*
 * One server off the front of $DNSCACHEIP's value. False at its end, or where
 * it stops being a list of addresses. Pure.
 */
bool stubresolver_server(struct str *list, unsigned char ip[4], uint16_t *port);

#endif
