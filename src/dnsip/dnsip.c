/*
 * dnsip HOST: prints its addresses, one a line (contract §20).
 */
#include <stdio.h>

#include "dnstool/dnstool.h"

#define ME "dnsip"

int main(int argc, char **argv)
{
	struct dns_answer *a = dnstool_ask(ME, DNS_HOST, dnstool_argument(ME, argc, argv, "host"));

	for (uint32_t i = 0; i < a->n; i++) {
		if (a->records[i].type != DNS_A && a->records[i].type != DNS_AAAA)
			continue;
		dnstool_print_address(&a->records[i]);
		putchar('\n');
	}
	dnstool_free(a);
	return 0;
}
