/*
 * journal_commit: writing what is staged, and syncing it.
 *
 * What a failed write or sync leaves on disk is not known, and asking the
 * kernel again would be answered with a lie: the segment is left as it is.
 * Everything that is not certain to be in it is written again to the next.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "journal/journal_internal.h"
#include "sys/file.h"
#include "sys/random.h"

/* The header goes into the stage once the place on disk is known. */
static void finish_header(struct journal *j, const struct staged *s, uint32_t offset)
{
	char *at = j->stage.p + s->at, *meta = at + RECORD_HEADER;
	struct record r = { .type = s->type,
			    .id = s->id,
			    .segment = j->current->number,
			    .offset = offset,
			    .synced = j->synced,
			    .meta_length = s->meta_length,
			    .content_length = s->content_length,
			    .meta_crc = crc32c(0, meta, s->meta_length),
			    .content_crc = crc32c(0, meta + s->meta_length, s->content_length) };

	record_put_header(at, &r, j->current->seed);
}

void journal_end_zeros(const struct journal *j)
{
	if (j->o.on_segment)
		j->o.on_segment(j->o.ctx, -1, 0);
}

/* Opened anew, because each open file hears of a failed sync for itself. */
static void begin_zeros(const struct journal *j)
{
	char name[32];
	int fd;

	if (j->o.on_segment == NULL)
		return;
	segment_name(name, j->current->number);
	fd = file_open(j->dir, name, O_RDWR, 0);
	if (fd != -1)
		j->o.on_segment(j->o.ctx, fd, j->current->size);
}

/* Nothing more is written to the current segment. */
static void close_current(struct journal *j)
{
	if (j->current == NULL)
		return;
	journal_end_zeros(j);
	j->current->used = j->used;
	j->current->durable = j->synced;
	j->current = NULL;
	j->dirty = false;
}

static bool sync_current(struct journal *j, struct err *e)
{
	if (!j->dirty)
		return true;
	if (file_sync_data(j->current->fd) == -1) {
		err_sys(e, errno, "unable to sync the journal");
		close_current(j);
		return false;
	}
	j->synced = j->used;
	j->dirty = false;
	j->nunsynced = 0;
	buf_clear(&j->unsynced);
	return true;
}

/* Makes the file of the next segment; without a spare, on a full disk, a small one will do for results. */
static int create_segment(struct journal *j, struct segment_head *head)
{
	int fd;

	random_bytes(&head->seed, sizeof head->seed);
	while ((fd = segment_create(j->dir, head, &j->spare)) == -1 && (errno == ENOSPC || errno == EDQUOT) &&
	       head->size / 2 >= JOURNAL_SEGMENT_MIN)
		head->size /= 2;
	return fd;
}

/* Syncs and closes the current segment and starts the next. */
static bool roll(struct journal *j, struct err *e)
{
	struct segment_head head = { .number = j->next_segment, .next_id = j->next_id, .size = j->o.segment_size };
	struct segment *old = j->current;
	int fd;

	if (!sync_current(j, e))
		return false;
	if (j->segments.n) {
		const struct segment *last = j->segments.items[j->segments.n - 1];

		head.back = (uint32_t)(head.number - last->number);
		head.before = last == old ? j->synced : last->durable;
	}
	fd = create_segment(j, &head);
	if (fd == -1)
		return err_sys(e, errno, "unable to make a journal segment");
	close_current(j);
	/* Shorter than was reserved: that says that all of it is durable. */
	if (old)
		file_truncate(old->fd, old->used);
	j->current = segment_append(&j->segments, j->next_segment++, fd);
	j->current->seed = head.seed;
	j->current->size = head.size;
	j->used = j->synced = SEGMENT_HEAD;
	begin_zeros(j);
	if (!journal_has_room(j))
		journal_warn(j, "the disk is nearly full; new mail is refused until there is room");
	return true;
}

/* Writes as many of the staged records from `first` as fit in the current segment; sets *next. */
static bool write_run(struct journal *j, size_t first, size_t *next, struct err *e)
{
	uint32_t offset = j->used;
	size_t i, start = j->staged[first].at, bytes = 0;

	for (i = first; i < j->nstaged; i++) {
		struct staged *s = &j->staged[i];
		uint64_t size = record_size(s->meta_length, s->content_length);

		if (offset + size > j->current->size)
			break;
		finish_header(j, s, offset);
		s->segment = j->current;
		s->offset = offset;
		offset += (uint32_t)size;
		bytes += size;
	}
	*next = i;
	if (bytes == 0)
		return true;
	if (j->o.on_write)
		j->o.on_write(j->o.ctx, (uint64_t)j->used + bytes);
	if (file_write_at(j->current->fd, j->stage.p + start, bytes, j->used) == -1) {
		err_sys(e, errno, "unable to write to the journal");
		close_current(j);
		return false;
	}
	j->used = offset;
	j->dirty = true;
	return true;
}

static bool write_staged(struct journal *j, struct err *e)
{
	size_t i = 0;

	while (i < j->nstaged) {
		size_t before = i;

		if (j->current == NULL && !roll(j, e))
			return false;
		if (!write_run(j, i, &i, e))
			return false;
		if (i > before)
			continue;
		/* Staging keeps to what fits in a segment of full size. */
		if (j->used == SEGMENT_HEAD)
			return err_sys(e, ENOSPC, "unable to make a journal segment of full size");
		if (!roll(j, e))
			return false;
	}
	return true;
}

static void apply_moved(struct journal *j, const struct staged *s)
{
	struct entry *x = index_find(&j->index, s->id);

	if (x == NULL)
		return;
	journal_uncount_entry(j, x);
	x->segment = s->segment;
	x->offset = s->offset;
	x->meta_length = s->meta_length;
	x->content_length = s->content_length;
	journal_count_entry(j, x);
	x->meta_notes = s->has_notes;
	x->answers_segment = 0;
	/* Notes staged after the move are in the list behind those that moved along. */
	if (x->state && s->moved_notes) {
		x->state->nnotes -= s->moved_notes;
		memmove(x->state->notes, x->state->notes + s->moved_notes, x->state->nnotes * sizeof *x->state->notes);
	}
}

static void apply_result(struct journal *j, const struct staged *s)
{
	struct entry *x = s->result != JOURNAL_DELIVERED ? index_find(&j->index, s->id) : NULL;
	struct note note = { s->segment, s->offset, s->recipient, s->result };

	if (x && s->again)
		entry_replace_note(x, note);
	else if (x)
		entry_add_note(x, note);
}

static void apply_defer(struct journal *j, const struct staged *s)
{
	struct entry *x = s->has_answers ? index_find(&j->index, s->id) : NULL;

	if (x) {
		x->answers_segment = (uint32_t)s->segment->number;
		x->answers_offset = s->offset;
	}
}

/* Copies a staged record behind those in `bytes`. */
static void keep_staged(struct buf *bytes, struct staged **items, size_t *n, size_t *room, const struct buf *from,
			const struct staged *s)
{
	size_t size = (size_t)record_size(s->meta_length, s->content_length);

	if (*n == *room) {
		*room = *room ? 2 * *room : 64;
		*items = mem_array(*items, *room, sizeof **items);
	}
	(*items)[*n] = *s;
	(*items)[*n].at = bytes->n;
	++*n;
	buf_add(bytes, (struct str){ from->p + s->at, size });
}

static bool is_event(const struct staged *s)
{
	return s->type == RECORD_RESULT || s->type == RECORD_DEFER || s->type == RECORD_END ||
	       s->type == RECORD_REPORTED;
}

/* Until it is synced, what happened to messages may have to be written again. */
static void remember_unsynced(struct journal *j)
{
	for (size_t i = 0; i < j->nstaged; i++) {
		struct staged *s = &j->staged[i];

		if (!is_event(s))
			continue;
		s->again = true;
		keep_staged(&j->unsynced, &j->unsynced_items, &j->nunsynced, &j->unsynced_room, &j->stage, s);
	}
}

/* The staged records are on disk: they take effect. */
static void apply(struct journal *j)
{
	for (size_t i = 0; i < j->nstaged; i++) {
		struct staged *s = &j->staged[i];

		if (s->type == RECORD_MESSAGE) {
			s->entry->segment = s->segment;
			s->entry->offset = s->offset;
			idtable_add(&j->index, s->entry);
			journal_count_entry(j, s->entry);
			j->accepted++;
		} else if (s->type == RECORD_RESULT) {
			apply_result(j, s);
		} else if (s->type == RECORD_DEFER) {
			apply_defer(j, s);
		} else if (s->type == RECORD_MOVED) {
			apply_moved(j, s);
		}
	}
	if (j->dirty)
		remember_unsynced(j);
	j->nstaged = 0;
	buf_clear(&j->stage);
	/* One very large batch should not keep its memory for ever. */
	if (j->stage.cap > 4 * JOURNAL_INLINE_MAX)
		buf_free(&j->stage);
}

/*
 * After a failure: what was written and not synced is staged again, and what
 * happened to other messages stays staged. Messages are not: if one may have
 * reached the disk, an END sees to it that it never comes to life.
 */
static void stage_again(struct journal *j)
{
	struct buf bytes = j->stage;
	struct staged *items = j->staged;
	size_t n = j->nstaged;

	j->stage = j->unsynced;
	j->staged = j->unsynced_items;
	j->nstaged = j->nunsynced;
	j->staged_room = j->unsynced_room;
	j->unsynced = BUF_INIT(SIZE_MAX);
	j->unsynced_items = NULL;
	j->nunsynced = j->unsynced_room = 0;
	for (size_t i = 0; i < n; i++) {
		if (is_event(&items[i])) {
			keep_staged(&j->stage, &j->staged, &j->nstaged, &j->staged_room, &bytes, &items[i]);
		} else if (items[i].type == RECORD_MESSAGE) {
			if (items[i].segment) {
				struct staged *end = stage_begin(j, RECORD_END, items[i].id);

				stage_end(j, end, j->stage.n);
			}
			idtable_drop(&j->index, items[i].entry);
		}
	}
	buf_free(&bytes);
	free(items);
}

static bool sync_needed(const struct journal *j)
{
	for (size_t i = 0; i < j->nstaged; i++)
		if (j->staged[i].type == RECORD_MESSAGE || j->staged[i].type == RECORD_MOVED)
			return true;
	return false;
}

static void remove_dead_bodies(struct journal *j)
{
	for (size_t i = 0; i < j->ndead; i++)
		journal_body_discard(j, j->dead_bodies[i]);
	j->ndead = 0;
}

bool journal_commit(struct journal *j, bool sync, struct err *e)
{
	bool must_sync = sync || sync_needed(j);

	if (!write_staged(j, e) || (must_sync && !sync_current(j, e))) {
		stage_again(j);
		return false;
	}
	apply(j);
	/* The ENDs are durable: now no message needs these files. */
	if (must_sync && !j->dirty)
		remove_dead_bodies(j);
	return true;
}
