#include <stdlib.h>

#include "wire/recipientproto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct buf *b, struct str packet)
{
	if (!buf_ok(b) || !str_eq(buf_str(b), packet))
		abort();
}

/* There is one way to write each packet: what is accepted comes out the same when it is written again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str packet = { (const char *)data, size };
	struct buf b = BUF_INIT(RECIPIENT_PACKET_MAX);
	struct recipient_question q;
	struct recipient_reply r;

	if (recipient_get_question(packet, &q)) {
		if (q.address.n && (q.address.p < packet.p || q.address.p + q.address.n != packet.p + packet.n))
			abort();
		recipient_put_question(&b, &q);
		same(&b, packet);
	} else if (recipient_get_reply(packet, &r)) {
		recipient_put_reply(&b, &r);
		same(&b, packet);
	}
	buf_free(&b);
	return 0;
}
