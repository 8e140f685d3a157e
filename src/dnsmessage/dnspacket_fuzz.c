#include <assert.h>

#include "dnsmessage/dnsname.h"
#include "dnsmessage/dnspacket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte chooses the type, the rest is the packet. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA, DNS_MX, DNS_TXT, DNS_PTR, DNS_TLSA };
	static struct dnspacket_set set;
	struct str packet = { (const char *)data, size };
	enum dns_type type;

	if (size == 0)
		return 0;
	type = types[data[0] % (sizeof types / sizeof *types)];
	dnspacket_read(str_from(packet, 1), type, &set);
	assert(set.n <= DNS_SET_MAX && set.n <= set.total);
	assert((set.outcome == DNS_FOUND) == (set.n > 0));
	for (size_t i = 0; i < set.n; i++) {
		const struct dns_record *r = &set.records[i];

		assert(r->type == type);
		assert(type != DNS_A || r->data.n == 4);
		assert(type != DNS_AAAA || r->data.n == 16);
		assert(type != DNS_TLSA || r->data.n > 3);
		assert((type != DNS_MX && type != DNS_PTR) || dnsname_text_valid(r->name));
	}
	dnspacket_set_free(&set);
	return 0;
}
