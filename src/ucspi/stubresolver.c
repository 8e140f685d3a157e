#include "ucspi/stubresolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdlib.h>

#include "dnsmessage/dnsname.h"
#include "listener/inetaddr.h"

#define ANSWER_MAX 65535

bool stubresolver_server(struct str *list, unsigned char ip[4], uint16_t *port)
{
	uint64_t number = NS_DEFAULTPORT;
	struct inetaddr a;
	size_t n = 0, digits = 0;

	for (int dots = 0; n < list->n && (chr_digit(list->p[n]) || (list->p[n] == '.' && ++dots < 4));)
		n++;
	if (!inetaddr_parse_ip(str_head(*list, n), &a))
		return false;
	*list = str_from(*list, n);
	if (list->n && *list->p == '@') {
		*list = str_from(*list, 1);
		while (digits < list->n && chr_digit(list->p[digits]))
			digits++;
		if (!str_to_u64(str_head(*list, digits), &number) || number == 0 || number > 65535)
			return false;
		*list = str_from(*list, digits);
	}
	if (list->n && *list->p == '.')
		*list = str_from(*list, 1);
	else
		*list = STR("");
	memcpy(ip, a.ip, 4);
	*port = (uint16_t)number;
	return true;
}

static void use_servers(struct __res_state *state, const char *value)
{
	struct str list = str_of(value);
	unsigned char ip[4];
	uint16_t port;
	int n = 0;

	while (n < MAXNS && stubresolver_server(&list, ip, &port)) {
		struct sockaddr_in *server = &state->nsaddr_list[n++];

		*server = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
		memcpy(&server->sin_addr, ip, 4);
	}
	if (n)
		state->nscount = n;
}

/* NULL: the C library cannot be set up. */
static struct __res_state *resolver(void)
{
	static struct __res_state state;
	static bool ready;
	const char *servers = getenv("DNSCACHEIP");

	if (ready)
		return &state;
	if (res_ninit(&state) != 0)
		return NULL;
	state.options |= RES_USE_EDNS0;
	state.retrans = 3;
	state.retry = 3;
	if (servers)
		use_servers(&state, servers);
	ready = true;
	return &state;
}

void stubresolver_ask(enum dns_type type, struct str name, struct dnspacket_set *set)
{
	static unsigned char answer[ANSWER_MAX];
	struct __res_state *state = resolver();
	char text[DNS_NAME_MAX + 1];
	int n;

	*set = (struct dnspacket_set){ .outcome = DNS_NO_NAME };
	if (!dnsname_text_valid(name) || name.n > DNS_NAME_MAX)
		return;
	memcpy(text, name.p, name.n);
	text[name.n] = 0;
	set->outcome = DNS_TEMPORARY;
	set->why = "no answer from DNS";
	if (state == NULL)
		return;
	n = res_nquery(state, text, ns_c_in, dnspacket_rrtype(type), answer, sizeof answer);
	if (n > 0)
		dnspacket_read((struct str){ (const char *)answer, n > ANSWER_MAX ? ANSWER_MAX : (size_t)n }, type,
			       set);
	else if (state->res_h_errno == HOST_NOT_FOUND)
		set->outcome = DNS_NO_NAME;
	else if (state->res_h_errno == NO_DATA)
		set->outcome = DNS_NO_DATA;
}
