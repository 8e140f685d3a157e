/* What qmail-send and the spawners say to each other: deliveries, and on the same sockets exchangers and dead hosts. */
#include "wire/delivery.h"

#include <stdlib.h>

#include "wire/deadproto.h"
#include "wire/providerproto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* There is one way to write a packet, and no packet is two kinds. */
static int same(struct buf *b, struct str packet)
{
	if (!buf_ok(b) || !str_eq(buf_str(b), packet))
		abort();
	buf_clear(b);
	return 1;
}

static int request(struct str packet, struct buf *b)
{
	static struct delivery_request r;

	if (!delivery_get_request(packet, &r))
		return 0;
	delivery_put_request(b, &r);
	return same(b, packet);
}

static int result(struct str packet, struct buf *b)
{
	struct delivery_result r;

	if (!delivery_get_result(packet, &r))
		return 0;
	delivery_put_result(b, &r);
	return same(b, packet);
}

static int provider(struct str packet, struct buf *b)
{
	struct provider_answer a;
	struct str host;

	if (provider_get_question(packet, &host))
		provider_put_question(b, host);
	else if (provider_get_answer(packet, &a))
		provider_put_answer(b, &a);
	else
		return 0;
	return same(b, packet);
}

static int dead(struct str packet, struct buf *b)
{
	struct dead_host h;
	bool forget;

	if (dead_get_question(packet, &forget))
		dead_put_question(b, forget);
	else if (dead_get_host(packet, &h))
		dead_put_host(b, &h);
	else
		return 0;
	return same(b, packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str packet = { (const char *)data, size };
	struct buf b = BUF_INIT(1u << 20);

	if (request(packet, &b) + result(packet, &b) + provider(packet, &b) + dead(packet, &b) > 1)
		abort();
	buf_free(&b);
	return 0;
}
