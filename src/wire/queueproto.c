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
	wire_put_u64(b, m->size);
	wire_put_u32(b, m->uid);
	wire_put_u32(b, m->pid);
	wire_put_u32(b, m->total);
	wire_put_u8(b, m->flags);
	wire_put_str(b, m->sender);
	wire_put_u32(b, m->first);
	wire_put_u32(b, m->count);
}

void queue_put_recipient(struct buf *b, bool done, struct str address)
{
	wire_put_u8(b, done);
	wire_put_str(b, address);
}

bool queue_get_message(struct wire_reader *r, struct message_packet *m)
{
	m->id = wire_get_u64(r);
	m->birth = wire_get_u64(r);
	m->size = wire_get_u64(r);
	m->uid = wire_get_u32(r);
	m->pid = wire_get_u32(r);
	m->total = wire_get_u32(r);
	m->flags = wire_get_u8(r);
	m->sender = wire_get_str(r, QUEUE_ADDRESS_MAX);
	m->first = wire_get_u32(r);
	m->count = wire_get_u32(r);
	return !r->bad && m->first <= m->total && m->count <= m->total - m->first;
}

bool queue_get_recipient(struct wire_reader *r, bool *done, struct str *address)
{
	*done = wire_get_u8(r) != 0;
	*address = wire_get_str(r, QUEUE_ADDRESS_MAX);
	return !r->bad;
}
