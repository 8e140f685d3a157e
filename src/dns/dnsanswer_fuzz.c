#include <assert.h>

#include "dns/dnsanswer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What decodes is in bounds, and encodes to the same bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dns_answer a;
	struct str packet = { (const char *)data, size };
	struct buf again = BUF_INIT(SIZE_MAX);
	struct dns_question q;

	if (dns_get_question(packet, &q)) {
		dns_put_question(&again, &q);
		assert(str_eq(buf_str(&again), packet));
	}
	if (dns_get_answer(packet, &a)) {
		assert(a.n <= DNS_RECORDS_MAX);
		for (uint32_t i = 0; i < a.n; i++)
			assert(a.records[i].name.n <= DNS_NAME_MAX && a.records[i].data.n <= DNS_TEXT_MAX);
		dns_put_answer(&again, &a);
		assert(again.n == packet.n);
	}
	buf_free(&again);
	return 0;
}
