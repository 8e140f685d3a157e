#include "dnsmessage/dnspacket.h"

#include <stdlib.h>

#include "base/mem.h"
#include "dnsmessage/dnsname.h"

enum { HEADER = 12, RR_FIXED = 10, CLASS_IN = 1, RR_CNAME = 5 };
enum { RCODE_OK = 0, RCODE_NO_NAME = 3 };

/* One record of the wanted type; offsets into the storage, which moves while it grows. */
struct item {
	uint16_t preference;
	bool data; /* the bytes are data, not a name */
	size_t from, n;
};

struct reader {
	struct str packet;
	size_t at;
	unsigned questions, answers;
	struct item *items;
	size_t nitems, room;
	size_t malformed;
	bool null_mx;
	bool no_name; /* says the header */
	struct dnspacket_set *set;
};

struct rr {
	struct dnsname owner;
	unsigned type, class;
	uint32_t ttl;
	size_t data, length; /* RDATA in the packet */
};

int dnspacket_rrtype(enum dns_type type)
{
	static const int numbers[] = {
		[DNS_A] = 1, [DNS_AAAA] = 28, [DNS_MX] = 15, [DNS_TXT] = 16, [DNS_PTR] = 12, [DNS_TLSA] = 52
	};

	return type <= DNS_TLSA ? numbers[type] : 0;
}

static unsigned u16(struct str packet, size_t at)
{
	return (unsigned)(unsigned char)packet.p[at] << 8 | (unsigned char)packet.p[at + 1];
}

static bool read_rr(struct reader *r, struct rr *rr)
{
	struct str p = r->packet;

	if (!dnsname_read(p, &r->at, &rr->owner) || p.n - r->at < RR_FIXED)
		return false;
	rr->type = u16(p, r->at);
	rr->class = u16(p, r->at + 2);
	rr->ttl = (uint32_t)u16(p, r->at + 4) << 16 | u16(p, r->at + 6);
	rr->length = u16(p, r->at + 8);
	rr->data = r->at + RR_FIXED;
	if (rr->length > p.n - rr->data)
		return false;
	r->at = rr->data + rr->length;
	return true;
}

/* A name that fills its RDATA from `at` to the end exactly. */
static bool read_rdata_name(const struct reader *r, const struct rr *rr, size_t at, struct dnsname *name)
{
	struct str upto = str_head(r->packet, rr->data + rr->length);

	return dnsname_read(upto, &at, name) && at == rr->data + rr->length;
}

static void add_item(struct reader *r, struct item item)
{
	if (r->nitems == r->room) {
		r->room = r->room ? 2 * r->room : 16;
		r->items = mem_array(r->items, r->room, sizeof *r->items);
	}
	r->items[r->nitems++] = item;
}

static void add_name(struct reader *r, unsigned preference, const struct dnsname *name)
{
	size_t from = r->set->storage.n;

	dnsname_text(name, &r->set->storage);
	add_item(r, (struct item){ (uint16_t)preference, false, from, r->set->storage.n - from });
}

static bool read_address(struct reader *r, const struct rr *rr, size_t size)
{
	size_t from = r->set->storage.n;

	if (rr->length != size)
		return false;
	buf_add(&r->set->storage, (struct str){ r->packet.p + rr->data, size });
	add_item(r, (struct item){ 0, true, from, size });
	return true;
}

static bool read_mx(struct reader *r, const struct rr *rr)
{
	struct dnsname name;

	if (rr->length < 3 || !read_rdata_name(r, rr, rr->data + 2, &name))
		return false;
	if (dnsname_is_root(&name))
		r->null_mx = true;
	else
		add_name(r, u16(r->packet, rr->data), &name);
	return true;
}

static bool read_ptr(struct reader *r, const struct rr *rr)
{
	struct dnsname name;

	if (!read_rdata_name(r, rr, rr->data, &name) || dnsname_is_root(&name))
		return false;
	add_name(r, 0, &name);
	return true;
}

static bool read_txt(struct reader *r, const struct rr *rr)
{
	size_t at = rr->data, end = rr->data + rr->length, from = r->set->storage.n;

	if (rr->length == 0)
		return false;
	while (at < end) {
		size_t n = (unsigned char)r->packet.p[at++];

		if (n > end - at) {
			buf_truncate(&r->set->storage, from);
			return false;
		}
		buf_add(&r->set->storage, (struct str){ r->packet.p + at, n });
		at += n;
	}
	add_item(r, (struct item){ 0, true, from, r->set->storage.n - from });
	return true;
}

/* Usage, selector, matching type, and what is to match. */
static bool read_tlsa(struct reader *r, const struct rr *rr)
{
	size_t from = r->set->storage.n;

	if (rr->length < 4)
		return false;
	buf_add(&r->set->storage, (struct str){ r->packet.p + rr->data, rr->length });
	add_item(r, (struct item){ 0, true, from, rr->length });
	return true;
}

static bool read_rdata(struct reader *r, const struct rr *rr, enum dns_type type)
{
	switch (type) {
	case DNS_A:
		return read_address(r, rr, 4);
	case DNS_AAAA:
		return read_address(r, rr, 16);
	case DNS_MX:
		return read_mx(r, rr);
	case DNS_TXT:
		return read_txt(r, rr);
	case DNS_PTR:
		return read_ptr(r, rr);
	case DNS_TLSA:
		return read_tlsa(r, rr);
	default:
		return false;
	}
}

static void fail(struct reader *r, const char *why)
{
	r->set->outcome = DNS_TEMPORARY;
	r->set->why = why;
	r->set->total = r->set->n = 0;
}

static void use_ttl(struct reader *r, uint32_t ttl)
{
	/* RFC 2181 §8: a value with the highest bit set counts as zero. */
	if (ttl > INT32_MAX)
		ttl = 0;
	if (ttl < r->set->ttl)
		r->set->ttl = ttl;
}

static bool read_header(struct reader *r, struct dnsname *question)
{
	unsigned rcode;

	if (r->packet.n < HEADER) {
		fail(r, "the answer is malformed");
		return false;
	}
	rcode = u16(r->packet, 2) & 15;
	r->questions = u16(r->packet, 4);
	r->answers = u16(r->packet, 6);
	r->at = HEADER;
	r->no_name = rcode == RCODE_NO_NAME;
	if (rcode != RCODE_OK && !r->no_name) {
		fail(r, "its name servers answered with an error");
		return false;
	}
	if (r->questions != 1 || !dnsname_read(r->packet, &r->at, question) || r->packet.n - r->at < 4) {
		fail(r, "the answer is malformed");
		return false;
	}
	r->at += 4;
	return true;
}

/* The target of `name`'s alias record; false: it has none. */
static bool find_alias(struct reader *r, size_t answers_at, struct dnsname *name, bool *bad)
{
	struct rr rr;

	r->at = answers_at;
	for (unsigned i = 0; i < r->answers; i++) {
		if (!read_rr(r, &rr)) {
			*bad = true;
			return false;
		}
		if (rr.type != RR_CNAME || rr.class != CLASS_IN || !dnsname_eq(&rr.owner, name))
			continue;
		if (!read_rdata_name(r, &rr, rr.data, name)) {
			*bad = true;
			return false;
		}
		use_ttl(r, rr.ttl);
		return true;
	}
	return false;
}

static bool follow_aliases(struct reader *r, size_t answers_at, struct dnsname *name)
{
	bool bad = false;
	int links = 0;

	while (find_alias(r, answers_at, name, &bad)) {
		if (++links > DNSPACKET_ALIASES_MAX) {
			fail(r, "its aliases form a loop or too long a chain");
			return false;
		}
	}
	if (bad)
		fail(r, "the answer is malformed");
	return !bad;
}

static void collect(struct reader *r, const struct dnsname *name, enum dns_type type)
{
	struct rr rr;

	for (unsigned i = 0; i < r->answers; i++) {
		if (!read_rr(r, &rr))
			return;
		if (rr.class != CLASS_IN || (int)rr.type != dnspacket_rrtype(type) || !dnsname_eq(&rr.owner, name))
			continue;
		if (read_rdata(r, &rr, type))
			use_ttl(r, rr.ttl);
		else
			r->malformed++;
	}
}

static struct str item_str(const struct reader *r, const struct item *item)
{
	return str_head(str_from(buf_str(&r->set->storage), item->from), item->n);
}

static int compare(const void *a, const void *b, void *ctx)
{
	const struct item *x = a, *y = b;

	if (x->preference != y->preference)
		return x->preference < y->preference ? -1 : 1;
	return str_cmp(item_str(ctx, x), item_str(ctx, y));
}

static void keep(struct reader *r, enum dns_type type)
{
	struct dnspacket_set *set = r->set;

	if (r->nitems)
		qsort_r(r->items, r->nitems, sizeof *r->items, compare, r);
	set->total = r->nitems;
	set->n = r->nitems < DNS_SET_MAX ? r->nitems : DNS_SET_MAX;
	for (size_t i = 0; i < set->n; i++) {
		struct str s = item_str(r, &r->items[i]);

		set->records[i] = (struct dns_record){ .type = (uint8_t)type,
						       .preference = r->items[i].preference,
						       .name = r->items[i].data ? STR("") : s,
						       .data = r->items[i].data ? s : STR("") };
	}
}

static void conclude(struct reader *r)
{
	bool truncated = (u16(r->packet, 2) & 0x0200) != 0;

	if (r->no_name && (r->nitems || r->malformed || r->null_mx))
		fail(r, "the answer says both that it exists and that it does not");
	else if (r->no_name)
		r->set->outcome = DNS_NO_NAME;
	else if (r->set->n)
		r->set->outcome = DNS_FOUND;
	else if (r->malformed)
		fail(r, "its records are malformed");
	else if (truncated)
		fail(r, "the answer is larger than a DNS message can be");
	else
		r->set->outcome = r->null_mx ? DNS_NULL_MX : DNS_NO_DATA;
}

void dnspacket_read(struct str packet, enum dns_type type, struct dnspacket_set *set)
{
	struct reader r = { .packet = packet, .set = set };
	struct dnsname name;
	size_t answers_at;

	set->outcome = DNS_TEMPORARY;
	set->why = NULL;
	set->ttl = INT32_MAX;
	set->total = set->n = 0;
	/* Text forms are at most four times the wire's bytes, and compression repeats names. */
	set->storage = BUF_INIT(16u << 20);
	if (read_header(&r, &name)) {
		answers_at = r.at;
		if (follow_aliases(&r, answers_at, &name)) {
			r.at = answers_at;
			collect(&r, &name, type);
			keep(&r, type);
			conclude(&r);
		}
	}
	if (set->outcome != DNS_FOUND)
		set->ttl = 0;
	free(r.items);
}

void dnspacket_set_free(struct dnspacket_set *set)
{
	buf_free(&set->storage);
	set->n = 0;
}
