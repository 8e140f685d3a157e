#include "outbound/ownaddress.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/mem.h"

static bool from_sockaddr(const struct sockaddr *sa, struct peeraddress *a)
{
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;

	*a = (struct peeraddress){ 0 };
	if (sa->sa_family == AF_INET) {
		memcpy(&in4, sa, sizeof in4);
		memcpy(a->bytes, &in4.sin_addr, 4);
		return true;
	}
	if (sa->sa_family != AF_INET6)
		return false;
	memcpy(&in6, sa, sizeof in6);
	memcpy(a->bytes, &in6.sin6_addr, 16);
	a->v6 = true;
	return true;
}

void ownaddresses_add(struct ownaddresses *own, const struct peeraddress *a)
{
	if (own->n == own->room) {
		own->room = own->room ? 2 * own->room : 8;
		own->list = mem_array(own->list, own->room, sizeof *own->list);
	}
	own->list[own->n++] = *a;
}

void ownaddresses_load(struct ownaddresses *own)
{
	struct ifaddrs *all;

	*own = (struct ownaddresses){ 0 };
	if (getifaddrs(&all) == -1)
		return;
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		struct peeraddress a;

		if (i->ifa_addr && (i->ifa_flags & IFF_UP) && from_sockaddr(i->ifa_addr, &a))
			ownaddresses_add(own, &a);
	}
	freeifaddrs(all);
	own->system = own->n;
}

bool ownaddresses_current(const struct ownaddresses *own)
{
	struct ownaddresses now;
	bool same;

	ownaddresses_load(&now);
	same = now.n == own->system;
	for (size_t i = 0; same && i < now.n; i++)
		same = peeraddress_eq(&now.list[i], &own->list[i]);
	ownaddresses_free(&now);
	return same;
}

void ownaddresses_free(struct ownaddresses *own)
{
	free(own->list);
	*own = (struct ownaddresses){ 0 };
}

bool ownaddresses_has(const struct ownaddresses *own, const struct peeraddress *a)
{
	if (peeraddress_is_loopback(a))
		return true;
	for (size_t i = 0; i < own->n; i++)
		if (peeraddress_eq(&own->list[i], a))
			return true;
	return false;
}
