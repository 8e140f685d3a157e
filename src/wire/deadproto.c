#include "wire/deadproto.h"

/* After those of wire/providerproto.c. */
enum { MESSAGE_ASK = 5, MESSAGE_DEAD = 6 };

void dead_put_question(struct buf *b, bool forget)
{
	wire_put_u8(b, MESSAGE_ASK);
	wire_put_u8(b, forget);
}

void dead_put_host(struct buf *b, const struct dead_host *h)
{
	wire_put_u8(b, MESSAGE_DEAD);
	wire_put_str(b, h->address);
	wire_put_u64(b, h->seconds);
	wire_put_u32(b, h->timeouts);
}

bool dead_get_question(struct str packet, bool *forget)
{
	struct wire_reader in = wire_reader(packet);
	uint8_t value;

	if (wire_get_u8(&in) != MESSAGE_ASK)
		return false;
	value = wire_get_u8(&in);
	*forget = value == 1;
	return wire_end(&in) && value <= 1;
}

bool dead_get_host(struct str packet, struct dead_host *h)
{
	struct wire_reader in = wire_reader(packet);

	if (wire_get_u8(&in) != MESSAGE_DEAD)
		return false;
	h->address = wire_get_str(&in, DEAD_ADDRESS_MAX);
	h->seconds = wire_get_u64(&in);
	h->timeouts = wire_get_u32(&in);
	return wire_end(&in);
}
