/*
 * journal_compact: giving space back.
 *
 * Segments go away oldest first and only so: what happened to a message is
 * recorded in its own segment or a later one, so dropping the oldest segment,
 * once no live message is in it, can never make a finished message live
 * again. Messages still live there are written again at the head.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "journal/journal_internal.h"
#include "sys/file.h"
#include "wire/wire.h"

#define MOVE_BYTES (1u << 20) /* moved at one call */

static void remove_oldest(struct journal *j)
{
	char name[32];

	segment_name(name, j->segments.items[0]->number);
	if (file_unlink(j->dir, name) == -1 && errno != ENOENT)
		journal_warn(j, "unable to remove queue/journal/%s: %s", name, errno_text(errno));
	segment_drop_oldest(&j->segments);
}

/* Are there at least as many dead bytes as live ones, beyond what a quiet queue has anyway? */
static bool worth_moving(const struct journal *j)
{
	uint64_t total = 0;

	for (size_t i = 0; i < j->segments.n; i++)
		total += j->segments.items[i] == j->current ? j->used : j->segments.items[i]->used;
	return total > 2 * j->live_bytes + 2 * (uint64_t)j->o.segment_size;
}

static void add_note(void *ctx, uint32_t recipient, struct str text)
{
	struct buf *notes = ctx;

	wire_put_u32(notes, recipient);
	wire_put_str(notes, text);
}

/* Stages a copy of x with everything that happened to it. */
static void stage_move(struct journal *j, struct entry *x)
{
	struct buf record = BUF_INIT(SIZE_MAX), notes = BUF_INIT(SIZE_MAX);
	uint64_t id = x->id;
	struct message_meta m;
	struct record r;
	struct staged *s;
	struct err e;
	size_t meta_end, nnotes = 0;

	if (!journal_load(j, x, &record, &r, &e))
		return;
	if (!message_meta_get((struct str){ record.p + RECORD_HEADER, r.meta_length }, &m) ||
	    !journal_each_note(j, id, add_note, &notes, &e)) {
		buf_free(&record);
		buf_free(&notes);
		return;
	}
	if (x->state) {
		nnotes = x->state->nnotes;
		if (x->state->done)
			m.done = (struct str){ (char *)x->state->done, (x->nrecipients + 7) / 8 };
	}
	m.due = x->due;
	m.nnotes += (uint32_t)nnotes;
	m.notes = buf_str(&notes);
	s = stage_begin(j, RECORD_MOVED, id);
	s->has_notes = m.nnotes != 0;
	s->moved_notes = (uint32_t)nnotes;
	message_meta_put(&j->stage, &m);
	meta_end = j->stage.n;
	buf_add(&j->stage, (struct str){ record.p + RECORD_HEADER + r.meta_length, r.content_length });
	stage_end(j, s, meta_end);
	buf_free(&record);
	buf_free(&notes);
}

/* Moves up to MOVE_BYTES of live messages out of the oldest segment. */
static bool move_some(struct journal *j)
{
	struct segment *oldest = j->segments.items[0];
	uint64_t *ids = mem_array(NULL, oldest->live ? oldest->live : 1, sizeof *ids);
	size_t n = 0;
	uint64_t bytes = 0;
	struct err e;
	bool ok;

	for (size_t i = 0; i < j->index.nslots && bytes < MOVE_BYTES; i++) {
		const struct entry *x = j->index.slots[i];

		if (x && x->segment == oldest) {
			ids[n++] = x->id;
			bytes += record_size(x->meta_length, x->content_length);
		}
	}
	for (size_t i = 0; i < n; i++)
		stage_move(j, index_find(&j->index, ids[i]));
	free(ids);
	ok = journal_commit(j, true, &e);
	if (!ok)
		journal_warn(j, "unable to compact the journal: %s", e.text);
	return ok;
}

bool journal_maintain(struct journal *j)
{
	bool removed = false;

	while (j->segments.n && j->segments.items[0] != j->current && j->segments.items[0]->live == 0) {
		remove_oldest(j);
		removed = true;
	}
	if (removed)
		journal_has_room(j);
	if (j->segments.n < 2 || j->segments.items[0] == j->current || !worth_moving(j))
		return false;
	/* Moving needs room of its own; without a spare the dead must go first. */
	return j->spare && move_some(j);
}
