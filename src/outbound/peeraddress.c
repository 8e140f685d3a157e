#include "outbound/peeraddress.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#define V6_TAG STR("IPv6:")

bool peeraddress_parse(struct str text, struct peeraddress *a)
{
	char z[PEERADDRESS_TEXT_MAX];

	*a = (struct peeraddress){ 0 };
	if (text.n > 2 && text.p[0] == '[' && text.p[text.n - 1] == ']') {
		text = str_head(str_from(text, 1), text.n - 2);
		if (str_istarts(text, V6_TAG))
			text = str_from(text, V6_TAG.n);
	}
	if (text.n >= sizeof z || memchr(text.p, 0, text.n) != NULL)
		return false;
	memcpy(z, text.p, text.n);
	z[text.n] = 0;
	if (inet_pton(AF_INET, z, a->bytes) == 1)
		return true;
	a->v6 = true;
	return inet_pton(AF_INET6, z, a->bytes) == 1;
}

void peeraddress_text(const struct peeraddress *a, char text[PEERADDRESS_TEXT_MAX])
{
	if (inet_ntop(a->v6 ? AF_INET6 : AF_INET, a->bytes, text, PEERADDRESS_TEXT_MAX) == NULL)
		snprintf(text, PEERADDRESS_TEXT_MAX, "?");
}

socklen_t peeraddress_sockaddr(const struct peeraddress *a, uint16_t port, struct sockaddr_storage *sa)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	memset(sa, 0, sizeof *sa);
	memcpy(&in4.sin_addr, a->bytes, 4);
	memcpy(&in6.sin6_addr, a->bytes, 16);
	if (a->v6)
		memcpy(sa, &in6, sizeof in6);
	else
		memcpy(sa, &in4, sizeof in4);
	return a->v6 ? sizeof in6 : sizeof in4;
}

bool peeraddress_eq(const struct peeraddress *a, const struct peeraddress *b)
{
	return a->v6 == b->v6 && memcmp(a->bytes, b->bytes, a->v6 ? 16 : 4) == 0;
}

bool peeraddress_is_loopback(const struct peeraddress *a)
{
	static const unsigned char mapped[12] = { [10] = 255, [11] = 255 };
	static const unsigned char zero[16];

	if (!a->v6)
		return a->bytes[0] == 127 || a->bytes[0] == 0;
	if (memcmp(a->bytes, mapped, 12) == 0)
		return a->bytes[12] == 127 || a->bytes[12] == 0;
	return memcmp(a->bytes, zero, 15) == 0 && a->bytes[15] <= 1;
}
