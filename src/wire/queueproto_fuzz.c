/* What comes over run/journal, from anybody, and over run/queue. */
#include <stdlib.h>

#include "wire/queueproto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void within(struct str whole, struct str part)
{
	must(part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n));
}

static void same(struct buf *b, struct str packet)
{
	must(buf_ok(b) && str_eq(buf_str(b), packet));
	buf_clear(b);
}

/* Frames lie one behind the other, and each is written as it was. */
static void frames(struct str input, struct buf *b)
{
	struct str rest = input, before = input, payload;
	uint8_t type;

	while (frame_take(&rest, &type, &payload) == 1) {
		within(input, payload);
		must(payload.n <= FRAME_MAX && rest.n < before.n);
		frame_put(b, type, payload);
		same(b, str_head(before, before.n - rest.n));
		before = rest;
	}
}

static void message(struct str packet)
{
	struct wire_reader r = wire_reader(str_from(packet, 1));
	struct message_packet m;

	if (!queue_get_message(&r, &m))
		return;
	within(packet, m.sender);
	within(packet, queue_attribute(m.attributes, 1));
	/* Room is made for so many before they are read. */
	must(m.count <= packet.n);
	for (uint32_t i = 0; i < m.count; i++) {
		struct str address, attributes;
		bool done;

		if (!queue_get_recipient_all(&r, &done, &address, &attributes))
			return;
		within(packet, address);
		within(packet, attributes);
		must(address.n <= QUEUE_ADDRESS_MAX);
	}
}

static void order(struct str packet, bool with_uid, struct buf *b)
{
	struct wire_reader r = wire_reader(str_from(packet, 1));
	struct order_packet o;

	if (packet.n == 0 || packet.p[0] != PACKET_ORDER || !queue_get_order(&r, &o, with_uid))
		return;
	queue_put_order(b, &o, with_uid);
	same(b, packet);
}

static void ordered(struct str packet, struct buf *b)
{
	struct wire_reader r = wire_reader(str_from(packet, 1));
	uint32_t ticket;
	uint8_t status;
	struct str text;

	if (packet.n == 0 || packet.p[0] != PACKET_ORDERED || !queue_get_ordered(&r, &ticket, &status, &text))
		return;
	queue_put_ordered(b, ticket, status, text);
	same(b, packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = { (const char *)data, size };
	struct buf b = BUF_INIT(2 * QUEUE_PACKET_MAX);

	frames(input, &b);
	message(input);
	order(input, false, &b);
	order(input, true, &b);
	ordered(input, &b);
	buf_free(&b);
	return 0;
}
