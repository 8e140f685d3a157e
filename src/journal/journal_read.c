/* journal_read: envelopes, contents and notes of live messages. */
#include <errno.h>

#include "base/crc32c.h"
#include "journal/journal_internal.h"
#include "sys/file.h"
#include "wire/wire.h"

bool journal_read_range(const struct segment *s, uint32_t from, uint64_t length, struct buf *out)
{
	char *room = buf_room(out, (size_t)length);
	ssize_t got;

	if (room == NULL)
		return false;
	errno = EIO; /* for what the file is too short for */
	got = file_read_at(s->fd, room, (size_t)length, from);
	if (got < 0 || (uint64_t)got != length)
		return false;
	buf_wrote(out, (size_t)length);
	return true;
}

bool journal_load(struct journal *j, struct entry *x, struct buf *out, struct record *r, struct err *e)
{
	uint64_t size = RECORD_HEADER + (uint64_t)x->meta_length + x->content_length;
	size_t start = out->n;
	const char *why = NULL;

	/* What cannot be read now may be readable another time; only what is read and wrong is lost. */
	if (!journal_read_range(x->segment, x->offset, size, out)) {
		err_temp(e, "message %llu cannot be read: %s", (unsigned long long)x->id, errno_text(errno));
		return false;
	}
	if (!record_get_header(str_from(buf_str(out), start), x->segment->number, x->offset, x->segment->seed, r) ||
	    r->id != x->id || r->meta_length != x->meta_length || r->content_length != x->content_length)
		why = "damaged record header";
	else if (crc32c(0, out->p + start + RECORD_HEADER, r->meta_length) != r->meta_crc)
		why = "damaged envelope";
	else if (crc32c(0, out->p + start + RECORD_HEADER + r->meta_length, r->content_length) != r->content_crc)
		why = "damaged message";
	if (why == NULL)
		return true;
	buf_truncate(out, start);
	err_perm(e, "message %llu: %s", (unsigned long long)x->id, why);
	journal_set_aside(j, x->segment, x->offset, (uint32_t)(x->offset + size), e->text);
	journal_forget(j, x);
	return false;
}

/* A live message's record: *meta and *content look into out. */
static struct entry *load_message(struct journal *j, uint64_t id, struct buf *out, struct message_meta *meta,
				  struct str *content, struct err *e)
{
	struct entry *x = index_find(&j->index, id);
	struct record r;

	if (x == NULL) {
		err_perm(e, "there is no message %llu", (unsigned long long)id);
		return NULL;
	}
	buf_clear(out);
	if (!journal_load(j, x, out, &r, e))
		return NULL;
	*content = (struct str){ out->p + RECORD_HEADER + r.meta_length, r.content_length };
	if (message_meta_get((struct str){ out->p + RECORD_HEADER, r.meta_length }, meta))
		return x;
	/* The checksum held, so we wrote this: another version did. */
	err_perm(e, "message %llu: envelope of an unknown form", (unsigned long long)id);
	return NULL;
}

/* Is it the first staging of a note of the message? (Those staged again are in its list.) */
static bool is_staged_note(const struct staged *s, const struct entry *x)
{
	return s->type == RECORD_RESULT && s->id == x->id && s->result != JOURNAL_DELIVERED && !s->again &&
	       !entry_is_reported(x, s->recipient);
}

/* Results that are not written yet, perhaps because the disk is full. */
static void staged_notes(const struct journal *j, const struct entry *x, journal_note_each *each, void *ctx)
{
	for (size_t i = 0; i < j->nstaged; i++) {
		const struct staged *s = &j->staged[i];
		struct wire_reader in;

		if (!is_staged_note(s, x))
			continue;
		in = wire_reader((struct str){ j->stage.p + s->at + RECORD_HEADER, s->meta_length });
		wire_get_u32(&in);
		wire_get_u8(&in);
		each(ctx, s->recipient, s->result, wire_get_str(&in, SIZE_MAX));
	}
}

static enum journal_result result_in(const struct message_meta *m, uint32_t recipient)
{
	bool reportable = m->reportable.n && recipient < m->nrecipients &&
			  ((unsigned char)m->reportable.p[recipient / 8] >> recipient % 8 & 1);

	return reportable ? JOURNAL_REPORTABLE : JOURNAL_FAILED;
}

static void count_result(struct journal_envelope *env, enum journal_result result)
{
	env->failed = env->failed || result == JOURNAL_FAILED;
	env->reportable = env->reportable || result == JOURNAL_REPORTABLE;
}

/* What the message has notes of, without reading those of other records. */
static void find_results(const struct journal *j, const struct entry *x, const struct message_meta *m,
			 struct journal_envelope *env)
{
	struct wire_reader in = wire_reader(m->notes);

	for (uint32_t i = 0; i < m->nnotes && !in.bad; i++) {
		uint32_t recipient = wire_get_u32(&in);

		wire_get_str(&in, SIZE_MAX);
		if (!entry_is_reported(x, recipient))
			count_result(env, result_in(m, recipient));
	}
	for (uint32_t i = 0; x->state && i < x->state->nnotes; i++)
		if (!entry_is_reported(x, x->state->notes[i].recipient))
			count_result(env, x->state->notes[i].result);
	for (size_t i = 0; i < j->nstaged; i++)
		if (is_staged_note(&j->staged[i], x))
			count_result(env, j->staged[i].result);
}

static void fill_envelope(const struct journal *j, const struct entry *x, const struct message_meta *m,
			  struct journal_envelope *env)
{
	env->id = x->id;
	env->birth = m->birth;
	env->due = x->due;
	env->uid = m->uid;
	env->pid = m->pid;
	env->size = m->has_body ? m->body_size : x->content_length;
	env->sender = m->sender;
	env->attributes = m->attributes;
	env->recipients = m->recipients;
	env->nrecipients = m->nrecipients;
	env->has_body = m->has_body;
	env->body_crc = m->body_crc;
	env->told_late = x->told_late;
	find_results(j, x, m, env);
}

bool journal_read_envelope(struct journal *j, uint64_t id, struct journal_envelope *env, struct err *e)
{
	struct message_meta m;
	struct str content;
	struct entry *x;

	*env = (struct journal_envelope){ .storage = BUF_INIT(SIZE_MAX) };
	x = load_message(j, id, &env->storage, &m, &content, e);
	if (x == NULL) {
		buf_free(&env->storage);
		return false;
	}
	fill_envelope(j, x, &m, env);
	env->content = content;
	return true;
}

bool journal_read_head(struct journal *j, uint64_t id, struct journal_envelope *env, struct err *e)
{
	struct entry *x = index_find(&j->index, id);
	struct message_meta m;
	struct record r;

	*env = (struct journal_envelope){ .storage = BUF_INIT(SIZE_MAX) };
	/* Whether it is damaged or only unreadable now, the whole record has to say. */
	if (x == NULL || !journal_read_meta(x->segment, x->offset, &env->storage, &r) || r.id != id ||
	    !message_meta_get(buf_str(&env->storage), &m)) {
		buf_free(&env->storage);
		return journal_read_envelope(j, id, env, e);
	}
	fill_envelope(j, x, &m, env);
	return true;
}

/* Most records' header and meta are read at once; -1: not even the header. */
static ssize_t read_start(const struct segment *s, uint32_t offset, char *to, size_t n)
{
	ssize_t got = file_read_at(s->fd, to, n, offset);

	/* What cannot be read may be what stands behind the record. */
	if (got == -1)
		got = file_read_at(s->fd, to, RECORD_HEADER, offset);
	return got;
}

bool journal_read_meta(const struct segment *s, uint32_t offset, struct buf *meta, struct record *r)
{
	char bytes[RECORD_HEADER + 448];
	ssize_t got = read_start(s, offset, bytes, sizeof bytes);
	size_t start = meta->n;

	if (got < (ssize_t)RECORD_HEADER ||
	    !record_get_header((struct str){ bytes, RECORD_HEADER }, s->number, offset, s->seed, r))
		return false;
	if (r->meta_length <= (size_t)got - RECORD_HEADER)
		buf_add(meta, (struct str){ bytes + RECORD_HEADER, r->meta_length });
	else if (!journal_read_range(s, offset + RECORD_HEADER, r->meta_length, meta))
		return false;
	return buf_ok(meta) && crc32c(0, meta->p + start, r->meta_length) == r->meta_crc;
}

/* The text of a RESULT record. */
static bool read_note(const struct note *n, struct buf *out, struct str *text)
{
	struct wire_reader in;
	struct record r;

	buf_clear(out);
	if (!journal_read_meta(n->segment, n->offset, out, &r))
		return false;
	in = wire_reader(buf_str(out));
	wire_get_u32(&in);
	wire_get_u8(&in);
	*text = wire_get_str(&in, SIZE_MAX);
	return wire_end(&in);
}

bool journal_notes_of(const struct entry *x, const struct message_meta *m, journal_note_each *each, void *ctx)
{
	struct wire_reader in = wire_reader(m->notes);
	struct buf one = BUF_INIT(SIZE_MAX);
	bool all = true;
	struct str text;

	for (uint32_t i = 0; i < m->nnotes && !in.bad; i++) {
		uint32_t recipient = wire_get_u32(&in);

		text = wire_get_str(&in, SIZE_MAX);
		if (!entry_is_reported(x, recipient))
			each(ctx, recipient, result_in(m, recipient), text);
	}
	for (uint32_t i = 0; x->state && i < x->state->nnotes; i++) {
		const struct note *n = &x->state->notes[i];

		if (entry_is_reported(x, n->recipient))
			continue;
		/* The result is certain even when its text is lost. */
		if (!read_note(n, &one, &text)) {
			all = false;
			text = STR("The reason is lost.\n");
		}
		each(ctx, n->recipient, n->result, text);
	}
	buf_free(&one);
	return all;
}

bool journal_each_note(struct journal *j, uint64_t id, journal_note_each *each, void *ctx, struct err *e)
{
	struct buf record = BUF_INIT(SIZE_MAX);
	struct message_meta m;
	struct str content;
	struct entry *x = load_message(j, id, &record, &m, &content, e);

	if (x) {
		journal_notes_of(x, &m, each, ctx);
		staged_notes(j, x, each, ctx);
	}
	buf_free(&record);
	return x != NULL;
}

void journal_each_answer(struct journal *j, uint64_t id, answer_each *each, void *ctx)
{
	struct buf meta = BUF_INIT(SIZE_MAX);
	struct entry *x = index_find(&j->index, id);
	struct message_meta m;
	struct record r;

	if (x && journal_read_meta(x->segment, x->offset, &meta, &r) && message_meta_get(buf_str(&meta), &m))
		journal_answers_of(j, x, &m, each, ctx);
	buf_free(&meta);
}
