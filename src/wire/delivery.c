#include "wire/delivery.h"

enum { MESSAGE_DELIVER = 1, MESSAGE_RESULT = 2 };

static void put_wishes(struct buf *b, const struct delivery_request *r)
{
	wire_put_u8(b, r->ret);
	wire_put_str(b, r->envid);
	for (uint32_t i = 0; i < r->nrecipients; i++) {
		wire_put_u8(b, r->notify[i]);
		wire_put_str(b, r->orcpts[i]);
	}
}

void delivery_put_request(struct buf *b, const struct delivery_request *r)
{
	wire_put_u8(b, MESSAGE_DELIVER);
	wire_put_u32(b, r->id);
	wire_put_u64(b, r->message);
	wire_put_u64(b, r->size);
	wire_put_u8(b, r->flags);
	wire_put_str(b, r->sender);
	wire_put_str(b, r->host);
	wire_put_u32(b, r->nrecipients);
	for (uint32_t i = 0; i < r->nrecipients; i++)
		wire_put_str(b, r->recipients[i]);
	if (r->flags & DELIVERY_WISHES)
		put_wishes(b, r);
}

void delivery_put_result(struct buf *b, const struct delivery_result *r)
{
	wire_put_u8(b, MESSAGE_RESULT);
	wire_put_u32(b, r->id);
	wire_put_u32(b, r->recipient);
	wire_put_u8(b, (uint8_t)r->letter);
	wire_put_str(b, str_head(r->text, DELIVERY_REPORT_MAX));
	wire_put_u8(b, r->flags);
}

static void get_wishes(struct wire_reader *in, struct delivery_request *r)
{
	bool any = r->flags & DELIVERY_WISHES;

	r->ret = any ? wire_get_u8(in) : 0;
	r->envid = any ? wire_get_str(in, DELIVERY_WISH_MAX) : STR("");
	for (uint32_t i = 0; i < r->nrecipients; i++) {
		r->notify[i] = any ? wire_get_u8(in) : 0;
		r->orcpts[i] = any ? wire_get_str(in, DELIVERY_WISH_MAX) : STR("");
	}
}

bool delivery_get_request(struct str packet, struct delivery_request *r)
{
	struct wire_reader in = wire_reader(packet);

	if (wire_get_u8(&in) != MESSAGE_DELIVER)
		return false;
	r->id = wire_get_u32(&in);
	r->message = wire_get_u64(&in);
	r->size = wire_get_u64(&in);
	r->flags = wire_get_u8(&in);
	r->sender = wire_get_str(&in, DELIVERY_ADDRESS_MAX * 2);
	r->host = wire_get_str(&in, DELIVERY_ADDRESS_MAX);
	r->nrecipients = wire_get_u32(&in);
	if (r->nrecipients == 0 || r->nrecipients > DELIVERY_RECIPIENTS_MAX)
		return false;
	for (uint32_t i = 0; i < r->nrecipients; i++)
		r->recipients[i] = wire_get_str(&in, DELIVERY_ADDRESS_MAX * 2);
	get_wishes(&in, r);
	return wire_end(&in);
}

bool delivery_get_result(struct str packet, struct delivery_result *r)
{
	struct wire_reader in = wire_reader(packet);

	if (wire_get_u8(&in) != MESSAGE_RESULT)
		return false;
	r->id = wire_get_u32(&in);
	r->recipient = wire_get_u32(&in);
	r->letter = (char)wire_get_u8(&in);
	r->text = wire_get_str(&in, DELIVERY_REPORT_MAX);
	r->flags = wire_get_u8(&in);
	return wire_end(&in) && (r->letter == 'K' || r->letter == 'Z' || r->letter == 'D');
}
