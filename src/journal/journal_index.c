/* journal_index: live messages by number. */
#include <stdlib.h>

#include "base/mem.h"
#include "journal/journal_internal.h"

struct entry *index_new(struct idtable *x)
{
	if (x->pool.size == 0)
		*x = IDTABLE_INIT(struct entry);
	return idtable_new(x);
}

struct entry *index_find(const struct idtable *x, uint64_t id)
{
	return idtable_find(x, id);
}

static void free_state(struct entry *e)
{
	if (e->state == NULL)
		return;
	free(e->state->done);
	free(e->state->reported);
	free(e->state->notes);
	free(e->state);
}

void index_remove(struct idtable *x, struct entry *e)
{
	free_state(e);
	idtable_remove(x, e);
}

void index_free(struct idtable *x)
{
	for (size_t i = 0; i < x->nslots; i++) {
		struct entry *e = idtable_at(x, i);

		if (e)
			free_state(e);
	}
	idtable_free(x);
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

struct entry *entry_new(struct idtable *x, uint64_t id, struct segment *s, const struct record *r)
{
	struct entry *e = index_new(x);

	e->id = id;
	e->segment = s;
	e->offset = r->offset;
	e->meta_length = r->meta_length;
	e->content_length = r->content_length;
	return e;
}
