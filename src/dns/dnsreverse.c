#include "dns/dnsreverse.h"

void dns_add_reversed(const unsigned char *ip, bool v6, struct buf *out)
{
	static const char hex[] = "0123456789abcdef";

	for (int i = v6 ? 15 : 3; i >= 0; i--) {
		if (v6)
			buf_addf(out, "%c.%c.", hex[ip[i] & 15], hex[ip[i] >> 4]);
		else
			buf_addf(out, "%d.", ip[i]);
	}
}
