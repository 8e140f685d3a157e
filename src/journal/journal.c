#include "journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "journal/journal_internal.h"
#include "sys/file.h"
#include "wire/wire.h"

#define REPORTED_AT_ONCE 4096 /* recipients in one record */

void journal_warn(const struct journal *j, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	if (j->o.warn == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	j->o.warn(j->o.ctx, text);
}

/* Opens a directory below queue/, making it first if it is missing. */
static int open_or_make(struct journal *j, const char *name, struct err *e)
{
	int fd = file_open_dir(j->queuedir, name);

	if (fd == -1 && errno == ENOENT && !j->o.read_only) {
		if (file_make_dir(j->queuedir, name, 0700) == -1 && errno != EEXIST) {
			err_sys(e, errno, "unable to make queue/%s", name);
			return -1;
		}
		if (file_sync_dir(j->queuedir) == -1) {
			err_sys(e, errno, "unable to sync queue");
			return -1;
		}
		fd = file_open_dir(j->queuedir, name);
	}
	if (fd == -1)
		err_sys(e, errno, "unable to open queue/%s", name);
	return fd;
}

bool journal_open(int queuedir, const struct journal_options *o, struct journal **out, struct err *e)
{
	struct journal *j = mem_zero(1, sizeof *j);

	j->o = *o;
	j->queuedir = queuedir;
	j->dir = j->bodydir = -1;
	j->next_id = 1;
	j->stage = j->unsynced = BUF_INIT(SIZE_MAX);
	if (j->o.segment_size == 0)
		j->o.segment_size = JOURNAL_SEGMENT_DEFAULT;
	if (j->o.segment_size < JOURNAL_SEGMENT_MIN)
		j->o.segment_size = JOURNAL_SEGMENT_MIN;
	if ((j->dir = open_or_make(j, "journal", e)) == -1 || (j->bodydir = open_or_make(j, "body", e)) == -1 ||
	    !journal_recover(j, e)) {
		journal_close(j);
		return false;
	}
	while (j->o.part == 0 && journal_recover_part(j))
		;
	*out = j;
	return true;
}

void journal_close(struct journal *j)
{
	struct err ignored;
	bool durable = !journal_dirty(j);

	if (j->dir != -1 && !j->o.read_only && !durable)
		durable = journal_commit(j, true, &ignored);
	if (j->current)
		journal_end_zeros(j);
	if (j->current && !j->o.read_only && durable)
		file_truncate(j->current->fd, j->used);
	journal_recovery_free(j);
	segment_list_free(&j->segments);
	index_free(&j->index);
	buf_free(&j->stage);
	buf_free(&j->unsynced);
	free(j->staged);
	free(j->unsynced_items);
	free(j->moving.ids);
	free(j->dead_bodies);
	if (j->dir != -1)
		file_close(j->dir);
	if (j->bodydir != -1)
		file_close(j->bodydir);
	free(j);
}

uint64_t journal_new_id(struct journal *j)
{
	return j->next_id++;
}

bool journal_has_room(struct journal *j)
{
	if (!j->spare)
		j->spare = segment_make_spare(j->dir, j->o.segment_size);
	return j->spare;
}

bool journal_dirty(const struct journal *j)
{
	return j->dirty || j->nstaged != 0;
}

size_t journal_count(const struct journal *j)
{
	return j->index.n;
}

bool journal_info_of(const struct journal *j, uint64_t id, struct journal_info *info)
{
	const struct entry *x = index_find(&j->index, id);

	if (x)
		*info = (struct journal_info){ x->id, x->birth, x->due };
	return x != NULL;
}

void journal_each(const struct journal *j, void (*each)(void *ctx, const struct journal_info *info), void *ctx)
{
	for (size_t i = 0; i < j->index.nslots; i++) {
		const struct entry *x = idtable_at(&j->index, i);

		if (x)
			each(ctx, &(struct journal_info){ x->id, x->birth, x->due });
	}
}

bool journal_done(const struct journal *j, uint64_t id, uint32_t recipient)
{
	const struct entry *x = index_find(&j->index, id);

	return x != NULL && entry_is_done(x, recipient);
}

void journal_stats(const struct journal *j, struct journal_stats *s)
{
	*s = (struct journal_stats){ .live = j->index.n,
				     .live_bytes = j->live_bytes,
				     .segments = j->segments.n,
				     .accepted = j->accepted,
				     .corrupt = j->corrupt,
				     .refusing = !j->spare };
}

/* ---- what happens to live messages ---------------------------------------- */

void journal_count_entry(struct journal *j, struct entry *x)
{
	x->segment->live++;
	x->segment->live_bytes += record_size(x->meta_length, x->content_length);
	j->live_bytes += record_size(x->meta_length, x->content_length);
}

void journal_uncount_entry(struct journal *j, struct entry *x)
{
	x->segment->live--;
	x->segment->live_bytes -= record_size(x->meta_length, x->content_length);
	j->live_bytes -= record_size(x->meta_length, x->content_length);
}

static void body_is_dead(struct journal *j, uint64_t id)
{
	if (j->ndead == j->dead_room) {
		j->dead_room = j->dead_room ? 2 * j->dead_room : 16;
		j->dead_bodies = mem_array(j->dead_bodies, j->dead_room, sizeof *j->dead_bodies);
	}
	j->dead_bodies[j->ndead++] = id;
}

void journal_forget(struct journal *j, struct entry *x)
{
	journal_uncount_entry(j, x);
	index_remove(&j->index, x);
}

/* ---- staging ----------------------------------------------------------------- */

struct staged *stage_begin(struct journal *j, enum record_type type, uint64_t id)
{
	struct staged *s;

	if (j->nstaged == j->staged_room) {
		j->staged_room = j->staged_room ? 2 * j->staged_room : 64;
		j->staged = mem_array(j->staged, j->staged_room, sizeof *j->staged);
	}
	s = &j->staged[j->nstaged++];
	*s = (struct staged){ .type = type, .id = id, .at = j->stage.n };
	buf_room(&j->stage, RECORD_HEADER);
	buf_wrote(&j->stage, RECORD_HEADER);
	return s;
}

void stage_end(struct journal *j, struct staged *s, size_t meta_end)
{
	static const char zeros[RECORD_ALIGN];
	size_t end = j->stage.n, start = s->at + RECORD_HEADER;

	s->meta_length = (uint32_t)(meta_end - start);
	s->content_length = (uint32_t)(end - meta_end);
	buf_add(&j->stage, (struct str){ zeros, s->at + record_size(s->meta_length, s->content_length) - end });
}

bool journal_stage_message(struct journal *j, uint64_t id, const struct journal_message *m, struct err *e)
{
	struct message_meta meta = { .birth = m->birth,
				     .due = m->due,
				     .done = m->done,
				     .nnotes = m->nnotes,
				     .notes = m->notes,
				     .uid = m->uid,
				     .pid = m->pid,
				     .has_body = m->has_body,
				     .body_size = m->body_size,
				     .body_crc = m->body_crc,
				     .sender = m->sender,
				     .attributes = m->attributes,
				     .nrecipients = m->nrecipients,
				     .recipients = m->recipients };
	uint64_t content = m->has_body ? 0 : (uint64_t)m->head.n + m->content.n;
	struct staged *s;
	struct entry *x;
	size_t meta_end;

	/* The rest of a segment is for what happens to it: done marks and notes move along with the message. */
	if ((uint64_t)m->sender.n + m->attributes.n + m->recipients.n + m->notes.n + 9 * (uint64_t)m->nrecipients +
		content + 512 >
	    (uint64_t)j->o.segment_size / 8 * 5)
		return err_perm(e, "the message does not fit in a journal segment of %lu bytes",
				(unsigned long)j->o.segment_size);
	if (!journal_has_room(j))
		return err_temp(e, "the disk of the queue is full");
	s = stage_begin(j, RECORD_MESSAGE, id);
	message_meta_put(&j->stage, &meta);
	meta_end = j->stage.n;
	if (!m->has_body) {
		buf_add(&j->stage, m->head);
		buf_add(&j->stage, m->content);
	}
	stage_end(j, s, meta_end);
	x = index_new(&j->index);
	x->id = id;
	x->birth = m->birth;
	x->due = m->due;
	x->nrecipients = m->nrecipients & ENTRY_RECIPIENTS_MAX;
	x->has_body = m->has_body;
	x->meta_notes = m->nnotes != 0;
	entry_mark_bits(x, m->done);
	x->meta_length = s->meta_length;
	x->content_length = s->content_length;
	s->entry = x;
	return true;
}

void journal_stage_result(struct journal *j, uint64_t id, uint32_t recipient, enum journal_result result,
			  struct str text)
{
	struct entry *x = index_find(&j->index, id);
	struct staged *s;

	if (x == NULL || recipient >= x->nrecipients || entry_is_done(x, recipient))
		return;
	entry_mark_done(x, recipient);
	s = stage_begin(j, RECORD_RESULT, id);
	s->recipient = recipient;
	s->result = result;
	wire_put_u32(&j->stage, recipient);
	wire_put_u8(&j->stage, (uint8_t)result);
	wire_put_str(&j->stage, result != JOURNAL_DELIVERED ? str_head(text, JOURNAL_NOTE_MAX) : STR(""));
	stage_end(j, s, j->stage.n);
}

static void stage_reported(struct journal *j, uint64_t id, bool late, const uint32_t *recipients, uint32_t n)
{
	struct staged *s = stage_begin(j, RECORD_REPORTED, id);

	wire_put_u8(&j->stage, late);
	wire_put_u32(&j->stage, n);
	for (uint32_t i = 0; i < n; i++)
		wire_put_u32(&j->stage, recipients[i]);
	stage_end(j, s, j->stage.n);
}

void journal_stage_reported(struct journal *j, uint64_t id, const uint32_t *recipients, uint32_t n)
{
	struct entry *x = index_find(&j->index, id);

	if (x == NULL)
		return;
	for (uint32_t i = 0; i < n; i++)
		entry_mark_reported(x, recipients[i]);
	/* Each record fits into the smallest segment. */
	for (uint32_t i = 0; i < n; i += REPORTED_AT_ONCE)
		stage_reported(j, id, false, recipients + i, n - i < REPORTED_AT_ONCE ? n - i : REPORTED_AT_ONCE);
}

void journal_stage_told_late(struct journal *j, uint64_t id)
{
	struct entry *x = index_find(&j->index, id);

	if (x == NULL || x->told_late)
		return;
	x->told_late = true;
	stage_reported(j, id, true, NULL, 0);
}

void journal_stage_defer(struct journal *j, uint64_t id, int64_t due, struct str answers)
{
	struct entry *x = index_find(&j->index, id);
	const struct segment *before;
	struct staged *s;

	if (x == NULL)
		return;
	x->due = due;
	s = stage_begin(j, RECORD_DEFER, id);
	wire_put_u64(&j->stage, (uint64_t)due);
	if (answers.n) {
		s->has_answers = true;
		/* Where the answers before these are. */
		before = entry_answers(j, x);
		wire_put_u64(&j->stage, before ? before->number : 0);
		wire_put_u32(&j->stage, x->answers_offset);
		wire_put_str(&j->stage, answers);
	}
	stage_end(j, s, j->stage.n);
}

void journal_stage_end(struct journal *j, uint64_t id)
{
	struct entry *x = index_find(&j->index, id);
	struct staged *s;

	if (x == NULL)
		return;
	if (x->has_body)
		body_is_dead(j, id);
	journal_forget(j, x);
	s = stage_begin(j, RECORD_END, id);
	stage_end(j, s, j->stage.n);
}

/* ---- bodies --------------------------------------------------------------------- */

static void body_name(char out[32], uint64_t id)
{
	snprintf(out, 32, "%llu", (unsigned long long)id);
}

int journal_body_create(struct journal *j, uint64_t id)
{
	char name[32];

	body_name(name, id);
	return file_open(j->bodydir, name, O_RDWR | O_CREAT | O_EXCL | O_APPEND, 0600);
}

int journal_body_sync(const struct journal *j, int fd)
{
	return file_sync(fd) == -1 ? -1 : file_sync_dir(j->bodydir);
}

void journal_body_discard(struct journal *j, uint64_t id)
{
	char name[32];

	body_name(name, id);
	if (file_unlink(j->bodydir, name) == -1 && errno != ENOENT)
		journal_warn(j, "unable to remove queue/body/%s: %s", name, errno_text(errno));
}

int journal_open_body(const struct journal *j, uint64_t id)
{
	char name[32];

	body_name(name, id);
	return file_open(j->bodydir, name, O_RDONLY, 0);
}
