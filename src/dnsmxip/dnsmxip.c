/*
 * dnsmxip DOMAIN: prints the addresses that mail for it goes to, each with its
 * preference, best first (contract §20).
 */
#include <stdio.h>

#include "dnstool/dnstool.h"

#define ME "dnsmxip"

int main(int argc, char **argv)
{
	struct dns_answer *a = dnstool_ask(ME, DNS_MAIL, dnstool_argument(ME, argc, argv, "domain"));

	for (uint32_t i = 0; i < a->n; i++) {
		if (a->records[i].type == DNS_MX)
			continue;
		dnstool_print_address(&a->records[i]);
		printf(" %u\n", a->records[i].preference);
	}
	dnstool_free(a);
	return 0;
}
