/*
 * dnsptr ADDRESS: prints the names that DNS has for an IP address, one a line
 * (contract §20).
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "dnstool/dnstool.h"
#include "filter/tool.h"
#include "listener/clientname.h"

#define ME "dnsptr"

int main(int argc, char **argv)
{
	struct str text = dnstool_argument(ME, argc, argv, "ip");
	struct inetaddr address = { 0 };
	struct buf reverse = BUF_INIT(100);
	struct dns_answer *a;

	if (inet_pton(AF_INET6, text.p, address.ip) == 1)
		address.v6 = true;
	else if (inet_pton(AF_INET, text.p, address.ip) != 1)
		tool_usage(ME, "ip");
	clientname_reverse(&address, &reverse);
	a = dnstool_ask(ME, DNS_PTR, buf_str(&reverse));
	for (uint32_t i = 0; i < a->n; i++)
		printf("%.*s\n", STR_ARG(a->records[i].name));
	buf_free(&reverse);
	dnstool_free(a);
	return 0;
}
