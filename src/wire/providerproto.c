#include "wire/providerproto.h"

#include "wire/delivery.h"

/* After those of wire/delivery.c. */
enum { MESSAGE_WHO = 3, MESSAGE_PROVIDER = 4 };

void provider_put_question(struct buf *b, struct str host)
{
	wire_put_u8(b, MESSAGE_WHO);
	wire_put_str(b, host);
}

void provider_put_answer(struct buf *b, const struct provider_answer *a)
{
	wire_put_u8(b, MESSAGE_PROVIDER);
	wire_put_str(b, a->host);
	wire_put_str(b, a->names);
}

bool provider_get_question(struct str packet, struct str *host)
{
	struct wire_reader in = wire_reader(packet);

	if (wire_get_u8(&in) != MESSAGE_WHO)
		return false;
	*host = wire_get_str(&in, DELIVERY_ADDRESS_MAX);
	return wire_end(&in);
}

bool provider_get_answer(struct str packet, struct provider_answer *a)
{
	struct wire_reader in = wire_reader(packet);

	if (wire_get_u8(&in) != MESSAGE_PROVIDER)
		return false;
	a->host = wire_get_str(&in, DELIVERY_ADDRESS_MAX);
	a->names = wire_get_str(&in, PROVIDER_NAMES_MAX);
	return wire_end(&in);
}
