/*
 * journal_answers: why recipients are not done yet.
 *
 * Each DEFER with answers says where the one before it is; a MESSAGE that is
 * moved takes the last answers along. They are for people: nothing is decided
 * by them, and what cannot be read is left out.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "journal/journal_internal.h"
#include "wire/wire.h"

#define CHAIN_MAX 1000 /* attempts looked back at */

struct answers {
	const struct entry *x;
	unsigned char *seen; /* one bit a recipient: a later answer was found */
	answer_each *each;
	void *ctx;
};

/* By the low bits of its number, the youngest first: that is where answers are. */
static const struct segment *segment_by_number(const struct journal *j, uint32_t number)
{
	for (size_t i = number ? j->segments.n : 0; i--;)
		if ((uint32_t)j->segments.items[i]->number == number)
			return j->segments.items[i];
	return NULL;
}

const struct segment *entry_answers(const struct journal *j, const struct entry *x)
{
	return segment_by_number(j, x->answers_segment);
}

static void take(struct answers *a, struct str list)
{
	struct wire_reader r = wire_reader(list);

	while (r.rest.n) {
		uint32_t i = wire_get_u32(&r);
		struct str text = wire_get_str(&r, SIZE_MAX);

		if (r.bad)
			return;
		if (i >= a->x->nrecipients || a->seen[i / 8] >> i % 8 & 1)
			continue;
		a->seen[i / 8] |= (unsigned char)(1u << i % 8);
		if (!entry_is_done(a->x, i))
			a->each(a->ctx, i, text);
	}
}

void journal_answers_of(struct journal *j, const struct entry *x, const struct message_meta *m, answer_each *each,
			void *ctx)
{
	struct answers a = { x, mem_zero(x->nrecipients / 8 + 1, 1), each, ctx };
	const struct segment *s = entry_answers(j, x);
	uint32_t offset = x->answers_offset;
	struct buf meta = BUF_INIT(SIZE_MAX);
	struct record r;

	for (int i = 0; s && i < CHAIN_MAX; i++) {
		struct wire_reader in;
		struct str list;

		buf_clear(&meta);
		if (!journal_read_meta(s, offset, &meta, &r) || r.type != RECORD_DEFER || r.id != x->id)
			break;
		in = wire_reader(buf_str(&meta));
		wire_get_u64(&in);
		s = segment_by_number(j, (uint32_t)wire_get_u64(&in));
		offset = wire_get_u32(&in);
		list = wire_get_str(&in, SIZE_MAX);
		if (!wire_end(&in))
			break;
		take(&a, list);
	}
	take(&a, m->answers);
	buf_free(&meta);
	free(a.seen);
}
