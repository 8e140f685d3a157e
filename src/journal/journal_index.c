/* journal_index: live messages by number. */
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "journal/journal_internal.h"

static size_t home_slot(const struct journal_index *x, uint64_t id)
{
	return (size_t)hash_u64(id) & (x->nslots - 1);
}

struct entry *index_find(const struct journal_index *x, uint64_t id)
{
	if (x->nslots == 0)
		return NULL;
	for (size_t i = home_slot(x, id); x->slots[i]; i = (i + 1) & (x->nslots - 1))
		if (x->slots[i]->id == id)
			return x->slots[i];
	return NULL;
}

static void put(struct journal_index *x, struct entry *e)
{
	size_t i = home_slot(x, e->id);

	while (x->slots[i])
		i = (i + 1) & (x->nslots - 1);
	x->slots[i] = e;
}

static void grow(struct journal_index *x)
{
	struct entry **old = x->slots;
	size_t n = x->nslots;

	x->nslots = n ? 2 * n : 1024;
	x->slots = mem_zero(x->nslots, sizeof *x->slots);
	for (size_t i = 0; i < n; i++)
		if (old[i])
			put(x, old[i]);
	free(old);
}

void index_add(struct journal_index *x, struct entry *e)
{
	if (x->n * 4 >= x->nslots * 3)
		grow(x);
	put(x, e);
	x->n++;
}

static void entry_free(struct entry *e)
{
	if (e->state) {
		free(e->state->done);
		free(e->state->reported);
		free(e->state->notes);
		free(e->state);
	}
	free(e);
}

void index_remove(struct journal_index *x, struct entry *e)
{
	size_t i = home_slot(x, e->id), mask = x->nslots - 1;

	while (x->slots[i] != e)
		i = (i + 1) & mask;
	/* Closes the gap: an entry may move into it unless its home lies behind the gap. */
	for (size_t k = (i + 1) & mask; x->slots[k]; k = (k + 1) & mask) {
		size_t h = home_slot(x, x->slots[k]->id);

		if (((k - h) & mask) >= ((k - i) & mask)) {
			x->slots[i] = x->slots[k];
			i = k;
		}
	}
	x->slots[i] = NULL;
	x->n--;
	entry_free(e);
}

void index_free(struct journal_index *x)
{
	for (size_t i = 0; i < x->nslots; i++)
		if (x->slots[i])
			entry_free(x->slots[i]);
	free(x->slots);
	*x = (struct journal_index){ 0 };
}

static struct entry_state *state_of(struct entry *e)
{
	if (e->state == NULL)
		e->state = mem_zero(1, sizeof *e->state);
	return e->state;
}

static void set_bit(unsigned char **bits, const struct entry *e, uint32_t recipient)
{
	if (recipient >= e->nrecipients)
		return;
	if (*bits == NULL)
		*bits = mem_zero((e->nrecipients + 7) / 8, 1);
	(*bits)[recipient / 8] |= (unsigned char)(1u << recipient % 8);
}

static bool get_bit(const unsigned char *bits, const struct entry *e, uint32_t recipient)
{
	return bits && recipient < e->nrecipients && bits[recipient / 8] >> recipient % 8 & 1;
}

void entry_mark_done(struct entry *e, uint32_t recipient)
{
	set_bit(&state_of(e)->done, e, recipient);
}

void entry_mark_bits(struct entry *e, struct str bits)
{
	for (uint32_t i = 0; i < e->nrecipients && i / 8 < bits.n; i++)
		if (bits.p[i / 8] >> i % 8 & 1)
			entry_mark_done(e, i);
}

bool entry_is_done(const struct entry *e, uint32_t recipient)
{
	return e->state && get_bit(e->state->done, e, recipient);
}

void entry_mark_reported(struct entry *e, uint32_t recipient)
{
	set_bit(&state_of(e)->reported, e, recipient);
}

bool entry_is_reported(const struct entry *e, uint32_t recipient)
{
	return e->state && get_bit(e->state->reported, e, recipient);
}

void entry_add_note(struct entry *e, struct note note)
{
	struct entry_state *s = state_of(e);

	s->notes = mem_array(s->notes, s->nnotes + 1, sizeof *s->notes);
	s->notes[s->nnotes++] = note;
}

void entry_replace_note(struct entry *e, struct note note)
{
	for (uint32_t i = 0; e->state && i < e->state->nnotes; i++)
		if (e->state->notes[i].recipient == note.recipient) {
			e->state->notes[i] = note;
			return;
		}
	entry_add_note(e, note);
}

struct entry *entry_new(uint64_t id, struct segment *s, const struct record *r)
{
	struct entry *e = mem_zero(1, sizeof *e);

	e->id = id;
	e->segment = s;
	e->offset = r->offset;
	e->meta_length = r->meta_length;
	e->content_length = r->content_length;
	return e;
}
