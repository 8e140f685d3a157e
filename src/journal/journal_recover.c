/*
 * journal_recover: reading the segments at start.
 *
 * Every record is checked by its header and its meta. The contents of what
 * was durable when a later record was written are believed until they are
 * read (their checksum is verified then); of what came after, all is checked,
 * because a power cut may have kept any part of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "journal/journal_internal.h"
#include "sys/file.h"
#include "wire/wire.h"

#define WINDOW (1u << 20)

/* A piece of a segment in memory. */
struct scan {
	struct journal *j;
	struct segment *s;
	uint64_t size; /* of the file */
	uint64_t at;   /* offset of the window */
	struct buf window;
	uint32_t synced; /* highest watermark seen */
	uint32_t checked_from; /* records before were not checked in full */
	bool failed;   /* a read error */
};

/* n bytes at offset, or an empty view at the end of the file; what can be had when the disk fails. */
static struct str peek(struct scan *c, uint64_t offset, uint64_t n)
{
	if (offset + n > c->size || offset + n < offset)
		return STR("");
	if (offset < c->at || offset + n > c->at + c->window.n) {
		size_t want = n > WINDOW ? (size_t)n : WINDOW;
		ssize_t got;

		buf_clear(&c->window);
		got = file_read_at(c->s->fd, buf_room(&c->window, want), want, offset);
		if (got < 0) {
			c->failed = true;
			return STR("");
		}
		buf_wrote(&c->window, (size_t)got);
		c->at = offset;
		if (c->window.n < n)
			return STR("");
	}
	return (struct str){ c->window.p + (offset - c->at), (size_t)n };
}

/* The next offset from `from` on at which a valid header stands, or the file's size. */
static uint64_t next_header(struct scan *c, uint64_t from, struct record *r)
{
	for (uint64_t o = from; o + RECORD_HEADER <= c->size; o += RECORD_ALIGN) {
		struct str bytes = peek(c, o, RECORD_HEADER);

		if (bytes.n && record_get_header(bytes, c->s->number, (uint32_t)o, r))
			return o;
	}
	return c->size;
}

/* The end of what is not zero, from `from` on. */
static uint64_t last_nonzero(struct scan *c, uint64_t from)
{
	uint64_t last = from;

	for (uint64_t o = from; o < c->size; o += 4096) {
		uint64_t n = c->size - o < 4096 ? c->size - o : 4096;
		struct str bytes = peek(c, o, n);

		for (size_t i = bytes.n; i > 0; i--)
			if (bytes.p[i - 1]) {
				last = o + i;
				break;
			}
	}
	return last;
}

static void found_message(struct scan *c, const struct record *r, struct str meta)
{
	struct journal *j = c->j;
	struct entry *x = index_find(&j->index, r->id);
	struct message_meta m;

	if (!message_meta_get(meta, &m)) {
		journal_warn(j, "message %llu has an envelope of an unknown form; it is left alone",
		             (unsigned long long)r->id);
		return;
	}
	if (x)
		journal_forget(j, x);
	x = entry_new(r->id, c->s, r);
	x->birth = m.birth;
	x->due = m.due;
	x->nrecipients = m.nrecipients;
	x->has_body = m.has_body;
	x->meta_notes = m.nnotes != 0;
	for (uint32_t i = 0; m.done.n && i < m.nrecipients; i++)
		if (m.done.p[i / 8] >> i % 8 & 1)
			entry_mark_done(x, i);
	index_add(&j->index, x);
	journal_count_entry(j, x);
}

static void found_result(struct scan *c, const struct record *r, struct str meta)
{
	struct wire_reader in = wire_reader(meta);
	struct entry *x = index_find(&c->j->index, r->id);
	uint32_t recipient = wire_get_u32(&in);
	bool failed = wire_get_u8(&in) != 0;

	if (x == NULL || in.bad || recipient >= x->nrecipients || entry_is_done(x, recipient))
		return;
	entry_mark_done(x, recipient);
	if (failed)
		entry_add_note(x, (struct note){ c->s, r->offset, recipient });
}

static void found(struct scan *c, const struct record *r, struct str meta)
{
	struct journal *j = c->j;
	struct entry *x = index_find(&j->index, r->id);
	struct wire_reader in = wire_reader(meta);

	if (r->id >= j->next_id)
		j->next_id = r->type == RECORD_SEGMENT ? r->id : r->id + 1;
	switch (r->type) {
	case RECORD_MESSAGE:
	case RECORD_MOVED:
		found_message(c, r, meta);
		break;
	case RECORD_RESULT:
		found_result(c, r, meta);
		break;
	case RECORD_DEFER:
		if (x)
			x->due = (int64_t)wire_get_u64(&in);
		break;
	case RECORD_END:
		if (x)
			journal_forget(j, x);
		break;
	case RECORD_SEGMENT:
		break;
	}
}

/* Takes one record with a valid header; false when its bytes are damaged. */
static bool take_record(struct scan *c, const struct record *r, bool check_content)
{
	uint64_t body = r->offset + RECORD_HEADER;
	struct str meta = peek(c, body, r->meta_length);

	if (meta.n != r->meta_length || crc32c(0, meta.p, meta.n) != r->meta_crc)
		return false;
	if (check_content && r->content_length) {
		struct str all = peek(c, body, (uint64_t)r->meta_length + r->content_length);

		if (all.n == 0 || crc32c(0, all.p + r->meta_length, r->content_length) != r->content_crc)
			return false;
		meta = str_head(all, r->meta_length);
	} else if (body + r->meta_length + r->content_length > c->size) {
		return false;
	}
	found(c, r, meta);
	return true;
}

/* The highest watermark in the segment: the last valid header has it. */
static uint32_t find_watermark(struct scan *c)
{
	struct record r;
	uint32_t synced = 0;
	uint64_t o = 0;

	while ((o = next_header(c, o, &r)) < c->size) {
		uint64_t size = record_size(r.meta_length, r.content_length);

		if (r.synced > synced)
			synced = r.synced;
		/* A length that leads out of the file is a lie in spite of its checksum. */
		if (o + size > c->size)
			break;
		o += size;
	}
	return synced;
}

static void scan_segment(struct scan *c)
{
	uint64_t o = 0;

	while (o + RECORD_HEADER <= c->size) {
		struct str bytes = peek(c, o, RECORD_HEADER);
		uint64_t next;
		struct record r;

		if (bytes.n && record_get_header(bytes, c->s->number, (uint32_t)o, &r)) {
			next = o + record_size(r.meta_length, r.content_length);
			if (r.synced > c->synced)
				c->synced = r.synced;
			if (!take_record(c, &r, o >= c->checked_from)) {
				if (next > c->size)
					next = c->size;
				if (o < c->checked_from)
					journal_set_aside(c->j, c->s, (uint32_t)o, (uint32_t)next, "damaged record");
				else
					journal_warn(c->j, "a write was cut off in segment %016llx at %lu",
					             (unsigned long long)c->s->number, (unsigned long)o);
			}
			o = next;
			continue;
		}
		next = next_header(c, o + RECORD_ALIGN, &r);
		if (next == c->size) {
			uint64_t end = last_nonzero(c, o);

			if (end > o)
				journal_warn(c->j, "a write was cut off in segment %016llx at %lu (%lu bytes)",
				             (unsigned long long)c->s->number, (unsigned long)o,
				             (unsigned long)(end - o));
			break;
		}
		if (o < c->checked_from)
			journal_set_aside(c->j, c->s, (uint32_t)o, (uint32_t)next, "damaged record");
		o = next;
	}
	c->s->used = (uint32_t)(o < c->size ? o : c->size);
}

static bool recover_segment(struct journal *j, struct segment *s, struct err *e)
{
	struct scan c = { .j = j, .s = s, .window = BUF_INIT(SIZE_MAX) };
	int64_t size = file_size(s->fd);

	if (size < 0 || size > UINT32_MAX)
		return err_temp(e, "unable to read journal segment %016llx", (unsigned long long)s->number);
	c.size = (uint64_t)size;
	c.checked_from = find_watermark(&c);
	scan_segment(&c);
	buf_free(&c.window);
	if (c.failed)
		journal_warn(j, "unable to read all of journal segment %016llx", (unsigned long long)s->number);
	if (!j->o.read_only && s->used < c.size)
		file_truncate(s->fd, s->used);
	return true;
}

struct names {
	uint64_t *items;
	size_t n, room;
};

static void names_add(struct names *l, uint64_t v)
{
	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 64;
		l->items = mem_array(l->items, l->room, sizeof *l->items);
	}
	l->items[l->n++] = v;
}

static bool add_segment_name(void *ctx, const char *name)
{
	uint64_t number;

	if (segment_parse_name(name, &number))
		names_add(ctx, number);
	return true;
}

static bool add_body_name(void *ctx, const char *name)
{
	uint64_t id;

	if (str_to_u64(str_of(name), &id))
		names_add(ctx, id);
	return true;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool recover_segments(struct journal *j, struct err *e)
{
	struct names l = { 0 };
	bool ok = true;

	if (file_list(j->dir, add_segment_name, &l) == -1) {
		free(l.items);
		return err_sys(e, errno, "unable to read queue/journal");
	}
	if (l.n)
		qsort(l.items, l.n, sizeof *l.items, by_number);
	for (size_t i = 0; ok && i < l.n; i++) {
		char name[32];
		int fd;

		segment_name(name, l.items[i]);
		fd = file_open(j->dir, name, j->o.read_only ? O_RDONLY : O_RDWR, 0);
		if (fd == -1) {
			ok = err_sys(e, errno, "unable to open queue/journal/%s", name);
			break;
		}
		ok = recover_segment(j, segment_append(&j->segments, l.items[i], fd), e);
	}
	free(l.items);
	return ok;
}

/* A message whose body is missing cannot be delivered; END and removal are ordered so that this is damage. */
static void check_bodies(struct journal *j, const struct names *bodies)
{
	struct names missing = { 0 };

	for (size_t i = 0; i < j->index.nslots; i++) {
		const struct entry *x = j->index.slots[i];

		if (x && x->has_body &&
		    (bodies->n == 0 || !bsearch(&x->id, bodies->items, bodies->n, sizeof *bodies->items, by_number)))
			names_add(&missing, x->id);
	}
	for (size_t i = 0; i < missing.n; i++) {
		struct entry *x = index_find(&j->index, missing.items[i]);
		uint64_t size = record_size(x->meta_length, x->content_length);

		journal_set_aside(j, x->segment, x->offset, (uint32_t)(x->offset + size), "message without its body file");
		journal_forget(j, x);
	}
	free(missing.items);
}

static bool recover_bodies(struct journal *j, struct err *e)
{
	struct names l = { 0 };

	if (file_list(j->bodydir, add_body_name, &l) == -1) {
		free(l.items);
		return err_sys(e, errno, "unable to read queue/body");
	}
	if (l.n)
		qsort(l.items, l.n, sizeof *l.items, by_number);
	check_bodies(j, &l);
	for (size_t i = 0; i < l.n; i++) {
		const struct entry *x = index_find(&j->index, l.items[i]);

		if (l.items[i] >= j->next_id)
			j->next_id = l.items[i] + 1;
		if (!j->o.read_only && (x == NULL || !x->has_body))
			journal_body_discard(j, l.items[i]);
	}
	free(l.items);
	return true;
}

bool journal_recover(struct journal *j, struct err *e)
{
	if (!recover_segments(j, e) || !recover_bodies(j, e))
		return false;
	if (!j->o.read_only)
		journal_has_room(j);
	return true;
}
