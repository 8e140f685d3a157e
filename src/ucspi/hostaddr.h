/*
 * hostaddr: host names and addresses of tcpserver, tcpclient and rblsmtpd
 * (contract-companions §0.5). Everything here blocks.
 */
#ifndef UCSPI_HOSTADDR_H
#define UCSPI_HOSTADDR_H

#include "base/buf.h"
#include "listener/inetaddr.h"

#define HOSTADDR_MAX 64 /* addresses of one host that are used */

enum hostaddr_family { HOSTADDR_ANY, HOSTADDR_V4, HOSTADDR_V6 };

struct hostaddr {
	size_t n;
	struct inetaddr a[HOSTADDR_MAX];
};

/*
 * What a host argument stands for: "1.2.3.4", "[1.2.3.4]", "2001:db8::1",
 * "[2001:db8::1]", a name in /etc/hosts (unless $DNSCACHEIP is set), or a DNS
 * name after rewriting. IPv4 addresses come first, each family in random
 * order. False: DNS gives no answer now. A name without addresses gives none.
 */
bool hostaddr_find(struct str host, enum hostaddr_family family, struct hostaddr *list, struct err *e);

/* The first name (PTR) of an address; false when there is none, or none now. */
bool hostaddr_name(const struct inetaddr *a, struct buf *name);

/* Does the name have this address? No when DNS does not say. */
bool hostaddr_leads_to(struct str name, const struct inetaddr *a);

/* A number, or a TCP service of /etc/services. */
bool hostaddr_port(const char *text, uint16_t *port);

#endif
