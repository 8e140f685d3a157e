/* journal_read: envelopes, contents and notes of live messages. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/crc32c.h"
#include "journal/journal_internal.h"
#include "sys/file.h"
#include "wire/wire.h"

/* Reads [from, to) of a segment, appended to out. */
static bool read_range(const struct segment *s, uint32_t from, uint64_t length, struct buf *out)
{
	char *room = buf_room(out, (size_t)length);
	ssize_t got;

	if (room == NULL)
		return false;
	got = file_read_at(s->fd, room, (size_t)length, from);
	if (got < 0 || (uint64_t)got != length)
		return false;
	buf_wrote(out, (size_t)length);
	return true;
}

void journal_set_aside(struct journal *j, const struct segment *s, uint32_t from, uint32_t to, const char *why)
{
	struct buf bytes = BUF_INIT(SIZE_MAX);
	char name[64], file[48];
	int dir, fd;

	j->corrupt++;
	snprintf(file, sizeof file, "%016llx-%08x", (unsigned long long)s->number, from);
	journal_warn(j, "%s: bytes %lu to %lu of journal segment %016llx; set aside as queue/corrupt/%s", why,
	             (unsigned long)from, (unsigned long)to, (unsigned long long)s->number, file);
	if (j->o.read_only)
		return;
	file_make_dir(j->queuedir, "corrupt", 0700);
	snprintf(name, sizeof name, "corrupt");
	dir = file_open_dir(j->queuedir, name);
	if (dir == -1)
		return;
	fd = file_open(dir, file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd != -1) {
		/* What cannot be read any more is the very thing that may be wrong. */
		if (read_range(s, from, to - from, &bytes) && file_write_at(fd, bytes.p, bytes.n, 0) == 0)
			file_sync(fd);
		file_close(fd);
	}
	file_close(dir);
	buf_free(&bytes);
}

bool journal_load(struct journal *j, struct entry *x, struct buf *out, struct record *r, struct err *e)
{
	uint64_t size = RECORD_HEADER + (uint64_t)x->meta_length + x->content_length;
	size_t start = out->n;
	const char *why = NULL;

	if (!read_range(x->segment, x->offset, size, out))
		why = "unreadable record";
	else if (!record_get_header(str_from(buf_str(out), start), x->segment->number, x->offset, r) ||
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
	env->id = id;
	env->birth = m.birth;
	env->uid = m.uid;
	env->pid = m.pid;
	env->size = m.has_body ? m.body_size : content.n;
	env->sender = m.sender;
	env->attributes = m.attributes;
	env->recipients = m.recipients;
	env->nrecipients = m.nrecipients;
	env->has_body = m.has_body;
	env->content = content;
	env->failed = m.nnotes != 0 || (x->state && x->state->nnotes);
	return true;
}

/* The text of a RESULT record. */
static bool read_note(struct journal *j, const struct note *n, struct buf *out, struct str *text)
{
	char header[RECORD_HEADER];
	struct wire_reader in;
	struct record r;

	(void)j;
	buf_clear(out);
	if (file_read_at(n->segment->fd, header, sizeof header, n->offset) != (ssize_t)sizeof header ||
	    !record_get_header((struct str){ header, sizeof header }, n->segment->number, n->offset, &r) ||
	    !read_range(n->segment, n->offset + RECORD_HEADER, r.meta_length, out) ||
	    crc32c(0, out->p, out->n) != r.meta_crc)
		return false;
	in = wire_reader(buf_str(out));
	wire_get_u32(&in);
	wire_get_u8(&in);
	*text = wire_get_str(&in, SIZE_MAX);
	return wire_end(&in);
}

bool journal_each_note(struct journal *j, uint64_t id, void (*each)(void *ctx, uint32_t recipient, struct str text),
                       void *ctx, struct err *e)
{
	struct buf record = BUF_INIT(SIZE_MAX), one = BUF_INIT(SIZE_MAX);
	struct message_meta m;
	struct str content, text;
	struct entry *x = load_message(j, id, &record, &m, &content, e);

	if (x) {
		struct wire_reader in = wire_reader(m.notes);

		for (uint32_t i = 0; i < m.nnotes && !in.bad; i++) {
			uint32_t recipient = wire_get_u32(&in);

			text = wire_get_str(&in, SIZE_MAX);
			each(ctx, recipient, text);
		}
		for (uint32_t i = 0; x->state && i < x->state->nnotes; i++) {
			const struct note *n = &x->state->notes[i];

			/* The failure is certain even when its text is lost. */
			each(ctx, n->recipient, read_note(j, n, &one, &text) ? text : STR("The reason is lost.\n"));
		}
	}
	buf_free(&record);
	buf_free(&one);
	return x != NULL;
}
