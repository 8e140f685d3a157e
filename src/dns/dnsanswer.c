#include "dns/dnsanswer.h"

#include "wire/wire.h"

enum { MESSAGE_ASK = 1, MESSAGE_ANSWER = 2 };

void dns_put_question(struct buf *b, const struct dns_question *q)
{
	wire_put_u8(b, MESSAGE_ASK);
	wire_put_u32(b, q->id);
	wire_put_u8(b, q->type);
	wire_put_str(b, q->name);
}

bool dns_get_question(struct str packet, struct dns_question *q)
{
	struct wire_reader in = wire_reader(packet);

	if (wire_get_u8(&in) != MESSAGE_ASK)
		return false;
	q->id = wire_get_u32(&in);
	q->type = wire_get_u8(&in);
	q->name = wire_get_str(&in, DNS_NAME_MAX);
	return wire_end(&in) && q->type >= DNS_A && q->type <= DNS_TYPE_LAST;
}

void dns_put_answer(struct buf *b, const struct dns_answer *a)
{
	wire_put_u8(b, MESSAGE_ANSWER);
	wire_put_u32(b, a->id);
	wire_put_u8(b, a->outcome);
	wire_put_u8(b, a->security);
	wire_put_u8(b, a->cut);
	wire_put_u32(b, a->ttl);
	wire_put_str(b, str_head(a->why, DNS_WHY_MAX));
	wire_put_str(b, str_head(a->source, DNS_SOURCE_MAX));
	wire_put_u32(b, a->n);
	for (uint32_t i = 0; i < a->n; i++) {
		const struct dns_record *r = &a->records[i];

		wire_put_u8(b, r->type);
		wire_put_u8(b, r->outcome);
		wire_put_u8(b, r->security);
		wire_put_u32(b, r->preference);
		wire_put_str(b, r->name);
		wire_put_str(b, r->data);
	}
}

/* Is the record what its type promises? Users of A and AAAA records copy 4 and 16 bytes unasked. */
static bool record_valid(const struct dns_record *r)
{
	if (r->outcome > DNS_OUTCOME_LAST || r->security > DNS_SECURITY_LAST)
		return false;
	if (memchr(r->name.p, 0, r->name.n) != NULL)
		return false;
	switch (r->type) {
	case DNS_A:
		return r->data.n == 4;
	case DNS_AAAA:
		return r->data.n == 16;
	case DNS_MX:
	case DNS_PTR:
		return r->data.n == 0;
	case DNS_TXT:
		return true;
	case DNS_TLSA:
		return r->data.n > 3;
	default:
		return false;
	}
}

static bool get_record(struct wire_reader *in, struct dns_record *r)
{
	uint32_t preference;

	r->type = wire_get_u8(in);
	r->outcome = wire_get_u8(in);
	r->security = wire_get_u8(in);
	preference = wire_get_u32(in);
	r->preference = (uint16_t)preference;
	r->name = wire_get_str(in, DNS_NAME_MAX);
	r->data = wire_get_str(in, DNS_TEXT_MAX);
	return !in->bad && preference <= UINT16_MAX && record_valid(r);
}

bool dns_get_answer(struct str packet, struct dns_answer *a)
{
	struct wire_reader in = wire_reader(packet);

	a->storage = BUF_INIT(0);
	if (wire_get_u8(&in) != MESSAGE_ANSWER)
		return false;
	a->id = wire_get_u32(&in);
	a->outcome = wire_get_u8(&in);
	a->security = wire_get_u8(&in);
	a->cut = wire_get_u8(&in) != 0;
	a->ttl = wire_get_u32(&in);
	a->why = wire_get_str(&in, DNS_WHY_MAX);
	a->source = wire_get_str(&in, DNS_SOURCE_MAX);
	a->n = wire_get_u32(&in);
	if (in.bad || a->n > DNS_RECORDS_MAX || a->outcome > DNS_OUTCOME_LAST || a->security > DNS_SECURITY_LAST)
		return false;
	for (uint32_t i = 0; i < a->n; i++)
		if (!get_record(&in, &a->records[i]))
			return false;
	return wire_end(&in);
}

void dns_answer_fail(struct dns_answer *a, const char *why)
{
	a->id = 0;
	a->outcome = DNS_TEMPORARY;
	a->security = DNS_INSECURE;
	a->cut = false;
	a->ttl = 0;
	a->why = str_of(why);
	a->source = STR("");
	a->n = 0;
	a->storage = BUF_INIT(0);
}

void dns_answer_free(struct dns_answer *a)
{
	buf_free(&a->storage);
	a->n = 0;
	a->why = a->source = STR("");
}
