/*
 * journal_scan: reading one segment at start.
 *
 * Every record is checked by its header and its meta. The contents of what is
 * known to have been durable are believed until they are read (their checksum
 * is verified then); of what came after, all is checked, because a power cut
 * may have kept any part of it. Either way a damaged record costs only itself.
 */
#include <stdlib.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "journal/journal_internal.h"
#include "sys/file.h"
#include "wire/wire.h"

#define WINDOW (1u << 20)
#define PIECE 4096u

/* A piece of a segment in memory. */
struct scan {
	struct journal *j;
	struct segment *s;
	uint64_t size; /* of the file */
	uint64_t next; /* where the next record is expected */
	bool ended;    /* there is none */
	uint64_t at;   /* offset of the window */
	struct buf window;
	uint32_t durable; /* what stands before was durable: damage there is no write cut off */
	bool unsettled;   /* what was cut off still looks like a record */
};

/* Fills the window from offset on. What the disk cannot read any more counts as zeros. */
static void fill(struct scan *c, uint64_t offset, size_t want)
{
	char *room;
	ssize_t got;

	if (want > c->size - offset)
		want = (size_t)(c->size - offset);
	buf_clear(&c->window);
	room = buf_room(&c->window, want);
	c->at = offset;
	got = file_read_at(c->s->fd, room, want, offset);
	if (got >= 0) {
		buf_wrote(&c->window, (size_t)got);
		return;
	}
	c->s->unreadable = true;
	memset(room, 0, want);
	for (size_t o = 0; o < want; o += PIECE)
		file_read_at(c->s->fd, room + o, want - o < PIECE ? want - o : PIECE, offset + o);
	buf_wrote(&c->window, want);
}

/* n bytes at offset, or an empty view when the file ends before. */
static struct str peek(struct scan *c, uint64_t offset, uint64_t n)
{
	if (offset + n > c->size || offset + n < offset)
		return STR("");
	if (offset < c->at || offset + n > c->at + c->window.n)
		fill(c, offset, n > WINDOW ? (size_t)n : WINDOW);
	if (offset + n > c->at + c->window.n)
		return STR("");
	return (struct str){ c->window.p + (offset - c->at), (size_t)n };
}

static bool is_zeros(struct str bytes)
{
	return bytes.n && bytes.p[0] == 0 && memcmp(bytes.p, bytes.p + 1, bytes.n - 1) == 0;
}

/* After a crash most of the last segment is zeros: the first piece from `from` on that is not. */
static uint64_t skip_zeros(struct scan *c, uint64_t from)
{
	while (is_zeros(peek(c, from, PIECE)))
		from += PIECE;
	return from;
}

/* The next offset from `from` on at which a valid header stands, or the file's size. */
static uint64_t next_header(struct scan *c, uint64_t from, struct record *r)
{
	for (uint64_t o = from; o + RECORD_HEADER <= c->size; o += RECORD_ALIGN) {
		struct str bytes;

		if (o % PIECE == 0 && (o = skip_zeros(c, o)) + RECORD_HEADER > c->size)
			break;
		bytes = peek(c, o, RECORD_HEADER);
		if (bytes.n && record_get_header(bytes, c->s->number, (uint32_t)o, c->s->seed, r))
			return o;
	}
	return c->size;
}

static uint32_t record_end(const struct record *r)
{
	return (uint32_t)(r->offset + record_size(r->meta_length, r->content_length));
}

/* The end of what is not zero, from `from` on. */
static uint64_t last_nonzero(struct scan *c, uint64_t from)
{
	uint64_t last = from;

	for (uint64_t o = from; o < c->size; o += PIECE) {
		struct str bytes = peek(c, o, c->size - o < PIECE ? c->size - o : PIECE);

		if (is_zeros(bytes))
			continue;
		for (size_t i = bytes.n; i > 0; i--)
			if (bytes.p[i - 1]) {
				last = o + i;
				break;
			}
	}
	return last;
}

/* x, here and below: the message's entry, or NULL. */
static void found_message(struct scan *c, struct entry *x, const struct record *r, struct str meta)
{
	struct journal *j = c->j;
	struct message_meta m;

	if (!message_meta_get(meta, &m)) {
		/* The checksum held, so it was written so: by another version. */
		journal_set_aside(j, c->s, r->offset, record_end(r), "message with an envelope of an unknown form");
		return;
	}
	if (x)
		journal_forget(j, x);
	x = entry_new(&j->index, r->id, c->s, r);
	x->birth = m.birth;
	x->due = m.due;
	x->nrecipients = m.nrecipients & ENTRY_RECIPIENTS_MAX;
	x->has_body = m.has_body;
	x->meta_notes = m.nnotes != 0;
	x->told_late = m.told_late;
	entry_mark_bits(x, m.done);
	idtable_add(&j->index, x);
	journal_count_entry(j, x);
}

static void found_result(struct scan *c, struct entry *x, const struct record *r, struct str meta)
{
	struct wire_reader in = wire_reader(meta);
	uint32_t recipient = wire_get_u32(&in);
	uint8_t result = wire_get_u8(&in);

	if (x == NULL || in.bad || recipient >= x->nrecipients || entry_is_done(x, recipient))
		return;
	entry_mark_done(x, recipient);
	if (result != JOURNAL_DELIVERED)
		entry_add_note(x, (struct note){ c->s, r->offset, recipient,
						 result == JOURNAL_REPORTABLE ? JOURNAL_REPORTABLE : JOURNAL_FAILED });
}

static void found_reported(struct entry *x, struct str meta)
{
	struct wire_reader in = wire_reader(meta);
	bool late = wire_get_u8(&in) != 0;
	uint32_t n = wire_get_u32(&in);

	if (in.bad)
		return;
	x->told_late = x->told_late || late;
	for (uint32_t i = 0; i < n && !in.bad; i++) {
		uint32_t recipient = wire_get_u32(&in);

		if (!in.bad)
			entry_mark_reported(x, recipient);
	}
}

static void found_defer(struct scan *c, struct entry *x, const struct record *r, struct str meta)
{
	struct wire_reader in = wire_reader(meta);

	if (x == NULL)
		return;
	x->due = (int64_t)wire_get_u64(&in);
	if (in.rest.n == 0)
		return;
	x->answers_segment = (uint32_t)c->s->number;
	x->answers_offset = r->offset;
}

static void count_number(struct journal *j, const struct record *r)
{
	if (r->id >= j->next_id)
		j->next_id = r->type == RECORD_SEGMENT ? r->id : r->id + 1;
}

static void found(struct scan *c, const struct record *r, struct str meta)
{
	struct journal *j = c->j;
	struct entry *x = index_find(&j->index, r->id);

	count_number(j, r);
	/* Segments that somebody has mixed up: what was accepted since has to stay. */
	if (x && x->segment->number > c->s->number) {
		journal_set_aside(j, c->s, r->offset, record_end(r), "record with the number of a newer message");
		return;
	}
	switch (r->type) {
	case RECORD_MESSAGE:
	case RECORD_MOVED:
		found_message(c, x, r, meta);
		break;
	case RECORD_RESULT:
		found_result(c, x, r, meta);
		break;
	case RECORD_DEFER:
		found_defer(c, x, r, meta);
		break;
	case RECORD_END:
		if (x)
			journal_forget(j, x);
		break;
	case RECORD_REPORTED:
		if (x)
			found_reported(x, meta);
		break;
	case RECORD_SEGMENT:
	case RECORD_VOID:
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
	if (r->type == RECORD_VOID)
		return true;
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

/* The highest watermark in the segment: the last valid header has it. All numbers in it count as given out. */
static uint32_t read_headers(struct scan *c)
{
	uint32_t synced = SEGMENT_HEAD;
	uint64_t o = SEGMENT_HEAD;
	struct record r;

	while ((o = next_header(c, o, &r)) < c->size) {
		if (r.synced > synced)
			synced = r.synced;
		count_number(c->j, &r);
		o += record_size(r.meta_length, r.content_length);
	}
	return synced;
}

/*
 * Once the segment counts as durable its contents are believed, so a record
 * that was cut off must not look like one any more.
 */
static void cover(struct scan *c, uint32_t from, uint32_t to)
{
	struct record r = { .type = RECORD_VOID,
			    .segment = c->s->number,
			    .offset = from,
			    .content_length = to - from - RECORD_HEADER };
	char header[RECORD_HEADER];

	if (c->j->o.read_only)
		return;
	record_put_header(header, &r, c->s->seed);
	if (to - from < RECORD_HEADER || file_write_at(c->s->fd, header, sizeof header, from) == -1)
		c->unsettled = true;
}

/*
 * Bytes that are no record. Before the watermark they have been one; behind
 * it a write may have been cut off, and nobody was promised anything. They
 * are kept in both cases, because only the first is certain.
 */
static void set_aside(struct scan *c, uint64_t from, uint64_t to)
{
	if (to > c->size)
		to = c->size;
	if (from < c->durable)
		journal_set_aside(c->j, c->s, (uint32_t)from, (uint32_t)to, "damaged record");
	else
		journal_keep_bytes(c->j, c->s, (uint32_t)from, (uint32_t)to, "a write was cut off");
}

static void set_aside_gap(struct scan *c, uint64_t from, uint64_t to)
{
	set_aside(c, from, to);
	if (from >= c->durable && to <= c->size)
		cover(c, (uint32_t)from, (uint32_t)to);
}

/* What stands behind the last record. */
static void take_end(struct scan *c)
{
	uint64_t end = last_nonzero(c, c->next);

	/* What was durable and is zeros now is damage as well. */
	if (end < c->durable)
		end = c->durable < c->size ? c->durable : c->size;
	if (end > c->next)
		set_aside(c, c->next, end);
	c->ended = true;
}

/* The next record, or bytes that are none. */
static void take_next(struct scan *c)
{
	uint64_t o = c->next;
	struct str bytes = peek(c, o, RECORD_HEADER);
	struct record r;

	if (bytes.n && record_get_header(bytes, c->s->number, (uint32_t)o, c->s->seed, &r)) {
		c->next = o + record_size(r.meta_length, r.content_length);
		if (!take_record(c, &r, o >= c->durable))
			set_aside_gap(c, o, c->next);
		return;
	}
	c->next = next_header(c, o + RECORD_ALIGN, &r);
	if (c->next != c->size) {
		set_aside_gap(c, o, c->next);
		return;
	}
	c->next = o;
	take_end(c);
}

/*
 * A sync may have failed before the restart: what it did not write is in the
 * kernel's cache, and counts as clean there. Only what is written anew is
 * written by the next sync.
 */
static bool write_again(const struct segment *s)
{
	struct buf bytes = BUF_INIT(SIZE_MAX);
	bool ok = journal_read_range(s, s->durable, s->used - s->durable, &bytes) &&
		  file_write_at(s->fd, bytes.p, bytes.n, s->durable) == 0;

	buf_free(&bytes);
	return ok;
}

/* Cuts off what is in no record and makes the rest durable, so that what was found once is found always. */
static void settle(struct scan *c)
{
	struct segment *s = c->s;

	if (c->j->o.read_only || s->unreadable)
		return;
	if (c->unsettled || (s->durable != s->used && (!write_again(s) || file_sync(s->fd) == -1))) {
		journal_warn(c->j, "unable to sync journal segment %016llx", (unsigned long long)s->number);
		return;
	}
	s->durable = s->used;
	/* In this order: a segment that is shorter than was reserved counts as durable. */
	if (s->used < c->size)
		file_truncate(s->fd, s->used);
}

static bool scan_open(struct scan *c, struct journal *j, struct segment *s)
{
	int64_t size = file_size(s->fd);

	*c = (struct scan){ .j = j, .s = s, .next = SEGMENT_HEAD, .window = BUF_INIT(SIZE_MAX) };
	c->size = size > 0 ? (uint64_t)size : 0;
	return size >= 0 && size <= UINT32_MAX;
}

bool journal_survey(struct journal *j, struct segment *s, uint32_t durable, bool last, struct err *e)
{
	uint32_t watermark = 0;
	struct scan c;

	if (!scan_open(&c, j, s))
		return err_temp(e, "unable to read journal segment %016llx", (unsigned long long)s->number);
	if (last || (durable == 0 && c.size >= s->size))
		watermark = read_headers(&c);
	/* A file that was cut to what is in use was durable before. */
	s->durable = c.size < s->size ? (uint32_t)c.size : durable ? durable : watermark;
	buf_free(&c.window);
	return true;
}

struct scan *journal_scan_begin(struct journal *j, struct segment *s)
{
	struct scan *c = mem_alloc(sizeof *c);

	/* Its size could be read before. */
	if (!scan_open(c, j, s))
		s->unreadable = true;
	c->durable = s->durable;
	return c;
}

void journal_scan_free(struct scan *c)
{
	if (c)
		buf_free(&c->window);
	free(c);
}

bool journal_scan_part(struct scan *c, uint64_t bytes)
{
	struct segment *s = c->s;
	uint64_t until = c->next + bytes;

	while (!c->ended && c->next < c->size && c->next < until)
		take_next(c);
	if (!c->ended && c->next < c->size)
		return true;
	s->used = (uint32_t)(c->ended ? c->next : c->size);
	s->durable = c->durable < s->used ? c->durable : s->used;
	if (s->unreadable)
		journal_warn(c->j, "unable to read all of journal segment %016llx", (unsigned long long)s->number);
	settle(c);
	journal_scan_free(c);
	return false;
}
