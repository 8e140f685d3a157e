#include "wire/recipientproto.h"

enum { PACKET_QUESTION = 1, PACKET_ANSWER = 2 };

void recipient_put_question(struct buf *b, const struct recipient_question *q)
{
	wire_put_u8(b, PACKET_QUESTION);
	wire_put_u32(b, q->id);
	wire_put_str(b, q->address);
}

void recipient_put_reply(struct buf *b, const struct recipient_reply *r)
{
	wire_put_u8(b, PACKET_ANSWER);
	wire_put_u32(b, r->id);
	wire_put_u8(b, (uint8_t)r->found.answer);
	wire_put_u64(b, r->found.room);
}

bool recipient_get_question(struct str packet, struct recipient_question *q)
{
	struct wire_reader in = wire_reader(packet);

	if (wire_get_u8(&in) != PACKET_QUESTION)
		return false;
	q->id = wire_get_u32(&in);
	q->address = wire_get_str(&in, RECIPIENT_ADDRESS_MAX);
	return wire_end(&in);
}

bool recipient_get_reply(struct str packet, struct recipient_reply *r)
{
	struct wire_reader in = wire_reader(packet);
	uint8_t answer;

	if (wire_get_u8(&in) != PACKET_ANSWER)
		return false;
	r->id = wire_get_u32(&in);
	answer = wire_get_u8(&in);
	r->found.answer = (enum recipient_answer)answer;
	r->found.room = wire_get_u64(&in);
	return wire_end(&in) && answer >= RECIPIENT_EXISTS && answer <= RECIPIENT_UNKNOWN;
}
