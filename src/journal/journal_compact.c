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

/* False: its file is still there, and none that is younger may go before it does. */
static bool remove_oldest(struct journal *j)
{
	struct segment *s = j->segments.items[0];
	char name[32];

	segment_name(name, s->file);
	/* A power cut must not bring a segment back while a younger one with its END records is gone. */
	if (!journal_sync_names(j))
		return false;
	if (s->unreadable) {
		if (!journal_set_file_aside(j, name, "some of it could not be read"))
			return false;
	} else if (file_unlink(j->dir, name) == -1 && errno != ENOENT) {
		journal_warn(j, "unable to remove queue/journal/%s: %s", name, errno_text(errno));
		return false;
	}
	/* Its messages may have ended in memory only, because the disk is full: it must not come back. */
	journal_sync_names(j);
	if (j->moving.from == s)
		j->moving.from = NULL;
	segment_drop_oldest(&j->segments);
	return true;
}

/* The last one stays even if it is not written to any more: it holds the highest numbers. */
static bool oldest_is_dead(const struct journal *j)
{
	return j->segments.n > 1 && j->segments.items[0]->live == 0;
}

/* Are there more dead bytes than live ones, beyond what a quiet queue has anyway? On a full disk less will do. */
static bool worth_moving(const struct journal *j)
{
	const struct segment *oldest = j->segments.items[0];
	uint64_t total = 0;

	for (size_t i = 0; i < j->segments.n; i++)
		total += j->segments.items[i] == j->current ? j->used : j->segments.items[i]->used;
	return total > 2 * j->live_bytes + 2 * (uint64_t)j->o.segment_size ||
	       (!j->spare && oldest->used > 2 * oldest->live_bytes);
}

/* Moving needs room of its own, and leaves as much for what happens to messages meanwhile. */
static bool room_to_move(const struct journal *j)
{
	return j->spare || (j->current && 2 * j->segments.items[0]->live_bytes < (uint64_t)j->current->size - j->used);
}

struct moved_notes {
	struct buf bytes;
	size_t room; /* for texts */
	uint32_t n;
	unsigned char *reportable; /* one bit a recipient; NULL: none is */
	uint32_t nrecipients;
};

static void add_reportable(struct moved_notes *n, uint32_t recipient)
{
	if (recipient >= n->nrecipients)
		return;
	if (n->reportable == NULL)
		n->reportable = mem_zero((n->nrecipients + 7) / 8, 1);
	n->reportable[recipient / 8] |= (unsigned char)(1u << recipient % 8);
}

/* Thousands of long texts would not fit in a segment: the later ones are cut. */
static void add_answer(void *ctx, uint32_t recipient, struct str text)
{
	struct moved_notes *n = ctx;

	n->n++;
	text = str_head(text, n->room);
	n->room -= text.n;
	wire_put_u32(&n->bytes, recipient);
	wire_put_str(&n->bytes, text);
}

static void add_note(void *ctx, uint32_t recipient, enum journal_result result, struct str text)
{
	if (result == JOURNAL_REPORTABLE)
		add_reportable(ctx, recipient);
	add_answer(ctx, recipient, text);
}

/* whole: not if anything of what happened to it cannot be read; then false. */
static bool stage_copy(struct journal *j, const struct entry *x, struct message_meta *m, struct str content, bool whole)
{
	struct moved_notes notes = { .bytes = BUF_INIT(SIZE_MAX),
				     .room = j->o.segment_size / 4,
				     .nrecipients = x->nrecipients };
	struct moved_notes answers = { .bytes = BUF_INIT(SIZE_MAX), .room = j->o.segment_size / 16 };
	uint32_t later = x->state ? x->state->nnotes : 0;
	struct staged *s;
	size_t meta_end;

	if (!journal_notes_of(x, m, add_note, &notes) && whole) {
		buf_free(&notes.bytes);
		free(notes.reportable);
		return false;
	}
	if (x->state && x->state->done)
		m->done = (struct str){ (char *)x->state->done, (x->nrecipients + 7) / 8 };
	m->due = x->due;
	m->told_late = x->told_late;
	m->reportable = (struct str){ (char *)notes.reportable, notes.reportable ? (x->nrecipients + 7) / 8 : 0 };
	m->nnotes = notes.n;
	m->notes = buf_str(&notes.bytes);
	journal_answers_of(j, x, m, add_answer, &answers);
	m->answers = buf_str(&answers.bytes);
	s = stage_begin(j, RECORD_MOVED, x->id);
	s->has_notes = m->nnotes != 0;
	s->moved_notes = later;
	message_meta_put(&j->stage, m);
	meta_end = j->stage.n;
	buf_add(&j->stage, content);
	stage_end(j, s, meta_end);
	buf_free(&notes.bytes);
	free(notes.reportable);
	buf_free(&answers.bytes);
	return true;
}

/* Stages a copy of x with everything that happened to it; its size in bytes, or 0. */
static uint64_t stage_move(struct journal *j, struct entry *x)
{
	uint64_t size = record_size(x->meta_length, x->content_length);
	struct buf record = BUF_INIT(SIZE_MAX);
	struct message_meta m;
	struct record r;
	struct err e;
	bool ok = journal_load(j, x, &record, &r, &e);

	if (ok && message_meta_get((struct str){ record.p + RECORD_HEADER, r.meta_length }, &m))
		stage_copy(j, x, &m, (struct str){ record.p + RECORD_HEADER + r.meta_length, r.content_length }, false);
	else
		size = 0;
	buf_free(&record);
	return size;
}

/* The recipients with another address for one of them. */
static void put_recipients(struct buf *out, const struct message_meta *m, uint32_t changed, struct str address)
{
	struct wire_reader r = wire_reader(m->recipients);

	for (uint32_t i = 0; i < m->nrecipients; i++) {
		struct str old = wire_get_str(&r, SIZE_MAX);

		wire_put_str(out, i == changed ? address : old);
		wire_put_str(out, wire_get_str(&r, SIZE_MAX));
	}
}

static bool may_edit(const struct journal *j, const struct entry *x, uint32_t recipient, struct str address,
		     struct err *e)
{
	if (j->nstaged)
		return err_temp(e, "the queue is busy");
	if (x == NULL)
		return err_perm(e, "there is no such message");
	if (recipient != JOURNAL_SENDER && (recipient >= x->nrecipients || entry_is_done(x, recipient)))
		return err_perm(e, "there is no such open recipient");
	if (record_size(x->meta_length + (uint32_t)address.n, x->content_length) > j->o.segment_size / 8 * 7)
		return err_perm(e, "the message would not fit in a journal segment any more");
	return true;
}

bool journal_stage_edit(struct journal *j, uint64_t id, uint32_t recipient, struct str address, struct err *e)
{
	struct entry *x = index_find(&j->index, id);
	struct buf record = BUF_INIT(SIZE_MAX), recipients = BUF_INIT(SIZE_MAX);
	struct message_meta m;
	struct record r;
	bool ok;

	if (!may_edit(j, x, recipient, address, e) || !journal_load(j, x, &record, &r, e)) {
		buf_free(&record);
		return false;
	}
	ok = message_meta_get((struct str){ record.p + RECORD_HEADER, r.meta_length }, &m);
	if (ok && recipient == JOURNAL_SENDER)
		m.sender = address;
	if (ok) {
		put_recipients(&recipients, &m, recipient, address);
		m.recipients = buf_str(&recipients);
		ok = stage_copy(j, x, &m, (struct str){ record.p + RECORD_HEADER + r.meta_length, r.content_length },
				true) ||
		     err_temp(e, "message %llu cannot be read now", (unsigned long long)id);
	} else {
		err_perm(e, "message %llu: envelope of an unknown form", (unsigned long long)id);
	}
	buf_free(&record);
	buf_free(&recipients);
	return ok;
}

struct place {
	uint32_t offset;
	uint64_t id;
};

static int by_offset(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Lists what has to be moved out of the oldest segment: one walk over the index for a whole segment. */
static void begin_moving(struct journal *j)
{
	const struct segment *oldest = j->segments.items[0];
	struct place *places = mem_array(NULL, oldest->live + 1, sizeof *places);
	struct moving *m = &j->moving;

	m->from = oldest;
	m->n = m->at = 0;
	for (size_t i = 0; i < j->index.nslots && m->n < oldest->live; i++) {
		const struct entry *x = idtable_at(&j->index, i);

		if (x && x->segment == oldest)
			places[m->n++] = (struct place){ x->offset, x->id };
	}
	qsort(places, m->n, sizeof *places, by_offset);
	m->ids = mem_array(m->ids, m->n + 1, sizeof *m->ids);
	for (size_t i = 0; i < m->n; i++)
		m->ids[i] = places[i].id;
	free(places);
}

/* Moves up to MOVE_BYTES of live messages out of the oldest segment; false: nothing more can be done now. */
static bool move_some(struct journal *j)
{
	struct moving *m = &j->moving;
	uint64_t bytes = 0;
	struct err e = { 0 };

	/* A copy holds what happened so far, so that has to be written before it. */
	if (j->nstaged && !journal_commit(j, false, &e))
		return false;
	if (m->from != j->segments.items[0])
		begin_moving(j);
	while (m->at < m->n && bytes < MOVE_BYTES) {
		struct entry *x = index_find(&j->index, m->ids[m->at++]);

		if (x && x->segment == m->from)
			bytes += stage_move(j, x);
	}
	if (bytes && !journal_commit(j, true, &e)) {
		journal_warn(j, "unable to compact the journal: %s", e.text);
		m->from = NULL;
		return false;
	}
	return bytes != 0 || oldest_is_dead(j);
}

bool journal_maintain(struct journal *j)
{
	bool removed = false;

	if (j->recovery)
		return false;
	while (oldest_is_dead(j) && remove_oldest(j))
		removed = true;
	if (removed || !j->spare)
		journal_has_room(j);
	if (j->segments.n < 2 || oldest_is_dead(j) || !worth_moving(j) || !room_to_move(j))
		return false;
	return move_some(j);
}
