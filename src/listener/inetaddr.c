#include "listener/inetaddr.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "dns/dnsreverse.h"

static bool parse_ip(struct str ip, bool v6, struct inetaddr *a)
{
	char text[INETADDR_TEXT];

	if (ip.n >= sizeof text || memchr(ip.p, 0, ip.n))
		return false;
	memcpy(text, ip.p, ip.n);
	text[ip.n] = 0;
	a->v6 = v6;
	return inet_pton(v6 ? AF_INET6 : AF_INET, text, a->ip) == 1;
}

bool inetaddr_parse(struct str text, struct inetaddr *a, bool *any, struct err *e)
{
	size_t colon = str_rchr(text, ':');
	struct str ip = str_head(text, colon);
	uint64_t port;
	bool ok;

	*a = (struct inetaddr){ 0 };
	*any = ip.n == 0 || str_eq(ip, STR("*"));
	if (colon == text.n || !str_to_u64(str_from(text, colon + 1), &port) || port > 65535)
		return err_perm(e, "%.*s is not ADDRESS:PORT", STR_ARG(str_head(text, 100)));
	a->port = (uint16_t)port;
	if (*any)
		return true;
	if (ip.n > 2 && *ip.p == '[' && ip.p[ip.n - 1] == ']')
		ok = parse_ip((struct str){ ip.p + 1, ip.n - 2 }, true, a);
	else
		ok = parse_ip(ip, false, a);
	if (!ok)
		return err_perm(e, "%.*s is not an IP address (IPv6 needs brackets: [::1]:25)",
				STR_ARG(str_head(ip, 100)));
	return true;
}

bool inetaddr_parse_ip(struct str text, struct inetaddr *a)
{
	*a = (struct inetaddr){ 0 };
	return parse_ip(text, str_chr(text, ':') < text.n, a);
}

void inetaddr_unmap(struct inetaddr *a)
{
	static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	struct inetaddr v4 = { .port = a->port };

	if (!a->v6 || memcmp(a->ip, mapped, sizeof mapped) != 0)
		return;
	memcpy(v4.ip, a->ip + sizeof mapped, 4);
	*a = v4;
}

bool inetaddr_from(const struct sockaddr *sa, struct inetaddr *a)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	*a = (struct inetaddr){ 0 };
	if (sa->sa_family == AF_INET) {
		memcpy(&in, sa, sizeof in);
		memcpy(a->ip, &in.sin_addr, 4);
		a->port = ntohs(in.sin_port);
		return true;
	}
	if (sa->sa_family != AF_INET6)
		return false;
	memcpy(&in6, sa, sizeof in6);
	a->port = ntohs(in6.sin6_port);
	a->v6 = true;
	memcpy(a->ip, &in6.sin6_addr, 16);
	inetaddr_unmap(a);
	return true;
}

socklen_t inetaddr_to(const struct inetaddr *a, struct sockaddr_storage *ss)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(a->port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(a->port) };

	memset(ss, 0, sizeof *ss);
	if (!a->v6) {
		memcpy(&in.sin_addr, a->ip, 4);
		memcpy(ss, &in, sizeof in);
		return sizeof in;
	}
	memcpy(&in6.sin6_addr, a->ip, 16);
	memcpy(ss, &in6, sizeof in6);
	return sizeof in6;
}

void inetaddr_text(const struct inetaddr *a, char text[INETADDR_TEXT])
{
	inet_ntop(a->v6 ? AF_INET6 : AF_INET, a->ip, text, INETADDR_TEXT);
}

bool inetaddr_loopback(const struct inetaddr *a)
{
	static const unsigned char one[16] = { [15] = 1 };

	return a->v6 ? memcmp(a->ip, one, 16) == 0 : a->ip[0] == 127;
}

uint64_t inetaddr_client(const struct inetaddr *a)
{
	uint64_t high = 0;

	/* 2001::/16 and the rest of IPv6 never begin like this, so the families do not meet. */
	if (!a->v6)
		return 0xffff000000000000u | (uint64_t)a->ip[0] << 24 | (uint64_t)a->ip[1] << 16 |
		       (uint64_t)a->ip[2] << 8 | a->ip[3];
	for (int i = 0; i < 8; i++)
		high = high << 8 | a->ip[i];
	return high;
}

bool inetaddr_same_ip(const struct inetaddr *a, const struct inetaddr *b)
{
	return a->v6 == b->v6 && memcmp(a->ip, b->ip, a->v6 ? 16 : 4) == 0;
}

void inetaddr_add_reversed(const struct inetaddr *a, struct buf *out)
{
	dns_add_reversed(a->ip, a->v6, out);
}
