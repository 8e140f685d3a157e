/*
 * ipmeprint: prints this machine's own IP addresses, one a line (contract §20):
 * those that mail routed to a mail exchanger must not be sent to.
 */
#include <stdio.h>

#include "outbound/ownaddress.h"

int main(void)
{
	struct ownaddresses own;
	char text[PEERADDRESS_TEXT_MAX];

	ownaddresses_load(&own);
	for (size_t i = 0; i < own.n; i++) {
		peeraddress_text(&own.list[i], text);
		puts(text);
	}
	ownaddresses_free(&own);
	return 0;
}
