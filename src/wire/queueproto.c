#include "wire/queueproto.h"

bool queue_address_acceptable(struct str address)
{
	return address.n <= QUEUE_ADDRESS_MAX && str_chr(address, 0) == address.n &&
	       str_chr(address, '\n') == address.n && str_chr(address, '\r') == address.n;
}

void frame_begin(struct buf *b, enum queue_frame type, size_t length)
{
	wire_put_u32(b, (uint32_t)(length + 1));
	wire_put_u8(b, (uint8_t)type);
}

void frame_put(struct buf *b, enum queue_frame type, struct str payload)
{
	frame_begin(b, type, payload.n);
	buf_add(b, payload);
}

int frame_take(struct str *rest, uint8_t *type, struct str *payload)
{
	struct wire_reader r = wire_reader(*rest);
	size_t n = wire_get_u32(&r);

	if (r.bad)
		return 0;
	if (n == 0 || n > FRAME_MAX + 1)
		return -1;
	if (r.rest.n < n)
		return 0;
	*type = (uint8_t)r.rest.p[0];
	*payload = (struct str){ r.rest.p + 1, n - 1 };
	*rest = str_from(r.rest, n);
	return 1;
}

void queue_put_message(struct buf *b, const struct message_packet *m)
{
	wire_put_u8(b, PACKET_MESSAGE);
	wire_put_u64(b, m->id);
	wire_put_u64(b, m->birth);
	wire_put_u64(b, m->due);
	wire_put_u64(b, m->size);
	wire_put_u32(b, m->uid);
	wire_put_u32(b, m->pid);
	wire_put_u32(b, m->total);
	wire_put_u8(b, m->flags);
	wire_put_str(b, m->sender);
	wire_put_str(b, m->first ? STR("") : m->attributes);
	wire_put_u32(b, m->first);
	wire_put_u32(b, m->count);
}

enum { RECIPIENT_DONE = 1, RECIPIENT_HAS_ATTRIBUTES = 2 };
#define RECIPIENT_BYTES_MIN 5 /* its flags and the length of its address */

void queue_put_recipient(struct buf *b, bool done, struct str address, struct str attributes)
{
	wire_put_u8(b, (uint8_t)((done ? RECIPIENT_DONE : 0) | (attributes.n ? RECIPIENT_HAS_ATTRIBUTES : 0)));
	wire_put_str(b, address);
	if (attributes.n)
		wire_put_str(b, attributes);
}

bool queue_get_message(struct wire_reader *r, struct message_packet *m)
{
	m->id = wire_get_u64(r);
	m->birth = wire_get_u64(r);
	m->due = wire_get_u64(r);
	m->size = wire_get_u64(r);
	m->uid = wire_get_u32(r);
	m->pid = wire_get_u32(r);
	m->total = wire_get_u32(r);
	m->flags = wire_get_u8(r);
	m->sender = wire_get_str(r, QUEUE_ADDRESS_MAX);
	m->attributes = wire_get_str(r, QUEUE_PACKET_MAX);
	m->first = wire_get_u32(r);
	m->count = wire_get_u32(r);
	/* Receivers make room for as many as it says. */
	return !r->bad && m->first <= m->total && m->count <= m->total - m->first &&
	       m->count <= r->rest.n / RECIPIENT_BYTES_MIN;
}

bool queue_get_recipient_all(struct wire_reader *r, bool *done, struct str *address, struct str *attributes)
{
	uint8_t flags = wire_get_u8(r);

	*done = flags & RECIPIENT_DONE;
	*address = wire_get_str(r, QUEUE_ADDRESS_MAX);
	*attributes = flags & RECIPIENT_HAS_ATTRIBUTES ? wire_get_str(r, QUEUE_PACKET_MAX) : STR("");
	return !r->bad;
}

bool queue_get_recipient(struct wire_reader *r, bool *done, struct str *address)
{
	struct str ignored;

	return queue_get_recipient_all(r, done, address, &ignored);
}

struct str queue_attribute(struct str attributes, uint8_t which)
{
	struct wire_reader r = wire_reader(attributes);

	while (r.rest.n && !r.bad) {
		uint8_t found = wire_get_u8(&r);
		struct str value = wire_get_str(&r, SIZE_MAX);

		if (found == which)
			return value;
	}
	return STR("");
}

void queue_put_order(struct buf *b, const struct order_packet *o, bool with_uid)
{
	wire_put_u8(b, PACKET_ORDER);
	wire_put_u32(b, o->ticket);
	wire_put_u64(b, o->id);
	wire_put_u8(b, o->order);
	wire_put_str(b, o->one);
	wire_put_str(b, o->two);
	if (with_uid)
		wire_put_u32(b, o->uid);
}

bool queue_get_order(struct wire_reader *r, struct order_packet *o, bool with_uid)
{
	*o = (struct order_packet){ 0 };
	o->ticket = wire_get_u32(r);
	o->id = wire_get_u64(r);
	o->order = wire_get_u8(r);
	o->one = wire_get_str(r, ORDER_TEXT_MAX);
	o->two = wire_get_str(r, ORDER_TEXT_MAX);
	if (with_uid)
		o->uid = wire_get_u32(r);
	return wire_end(r) && o->order >= ORDER_HOLD && o->order <= ORDER_LAST;
}

void queue_put_ordered(struct buf *b, uint32_t ticket, enum order_status status, struct str text)
{
	wire_put_u8(b, PACKET_ORDERED);
	wire_put_u32(b, ticket);
	wire_put_u8(b, (uint8_t)status);
	wire_put_str(b, text);
}

bool queue_get_ordered(struct wire_reader *r, uint32_t *ticket, uint8_t *status, struct str *text)
{
	*ticket = wire_get_u32(r);
	*status = wire_get_u8(r);
	*text = wire_get_str(r, QUEUE_PACKET_MAX);
	return wire_end(r);
}

void queue_put_returned(struct buf *b, struct str reason)
{
	buf_addz(b, "This message was returned by the postmaster of the host that it was waiting on.");
	if (reason.n) {
		buf_addc(b, '\n');
		buf_add(b, reason);
	}
	buf_addz(b, " (#5.3.0)\n");
}
