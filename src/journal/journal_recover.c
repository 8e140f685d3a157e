/*
 * journal_recover: finding the segments and bodies at start.
 *
 * A segment is what its head says, whatever its file is called. Files that
 * are none are set aside in queue/corrupt/, never overwritten.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "journal/journal_internal.h"
#include "sys/file.h"

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

/* A file of queue/journal/ before it is decided what becomes of it. */
struct found {
	uint64_t file; /* the number in its name */
	int fd;
	enum segment_state state;
	struct segment_head head;
};

/* By the number that the head says; of two with the same, the one whose name says so too comes first. */
static int by_head(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->head.number != y->head.number)
		return x->head.number < y->head.number ? -1 : 1;
	if ((x->file == x->head.number) != (y->file == y->head.number))
		return x->file == x->head.number ? -1 : 1;
	return x->file < y->file ? -1 : x->file > y->file;
}

static bool find_segment(struct journal *j, uint64_t file, struct found *f, struct err *e)
{
	char name[32];

	segment_name(name, file);
	*f = (struct found){ .file = file };
	f->fd = file_open(j->dir, name, j->o.read_only ? O_RDONLY : O_RDWR, 0);
	if (f->fd == -1)
		return err_sys(e, errno, "unable to open queue/journal/%s", name);
	f->state = segment_read_head(f->fd, &f->head);
	if (f->state == SEGMENT_UNREADABLE) {
		err_sys(e, errno, "unable to read queue/journal/%s", name);
		file_close(f->fd);
		return false;
	}
	if (f->state == SEGMENT_FOREIGN) {
		file_close(f->fd);
		return err_perm(e, "queue/journal/%s was written by another version of this program; use that one",
				name);
	}
	if (f->state == SEGMENT_EMPTY || f->state == SEGMENT_DAMAGED)
		f->head = (struct segment_head){ .number = file };
	return true;
}

/* Takes the file into the list, or out of the way; f->fd is not ours any more. */
static void sort_in(struct journal *j, const struct found *f)
{
	const struct segment *last = j->segments.n ? j->segments.items[j->segments.n - 1] : NULL;
	bool again = last && last->number == f->head.number;
	struct segment *s;
	char name[32];

	segment_name(name, f->file);
	if (f->state == SEGMENT_DAMAGED || (again && f->state != SEGMENT_EMPTY)) {
		file_close(f->fd);
		journal_set_file_aside(j, name,
				       again ? "a copy of another journal segment" : "it has no readable head");
		return;
	}
	if (f->state == SEGMENT_EMPTY) {
		file_close(f->fd);
		if (!j->o.read_only)
			file_unlink(j->dir, name);
		return;
	}
	if (f->state == SEGMENT_SCRATCHED)
		journal_damage(j, "the head of queue/journal/%s is damaged; its second copy is used", name);
	if (f->file != f->head.number)
		journal_damage(j, "queue/journal/%s has been renamed; it is segment %016llx", name,
			       (unsigned long long)f->head.number);
	if (last && f->head.back && f->head.number - f->head.back != last->number)
		journal_damage(j, "journal segments are missing between %016llx and %016llx",
			       (unsigned long long)last->number, (unsigned long long)f->head.number);
	s = segment_append(&j->segments, f->head.number, f->fd);
	s->file = f->file;
	s->seed = f->head.seed;
	s->size = f->head.size;
	if (f->head.next_id > j->next_id)
		j->next_id = f->head.next_id;
}

/* What the head of the segment behind says was durable of segment i; 0: not known. */
static uint32_t durable_bytes(const struct found *l, size_t n, uint64_t number)
{
	for (size_t i = 0; i < n; i++)
		if (l[i].head.back && l[i].head.number - l[i].head.back == number)
			return l[i].head.before;
	return 0;
}

static bool recover_found(struct journal *j, struct found *l, size_t n, struct err *e)
{
	qsort(l, n, sizeof *l, by_head);
	for (size_t i = 0; i < n; i++) {
		if (l[i].file >= j->next_segment)
			j->next_segment = l[i].file + 1;
		if (l[i].head.number >= j->next_segment)
			j->next_segment = l[i].head.number + 1;
		sort_in(j, &l[i]);
	}
	for (size_t i = 0; i < j->segments.n; i++) {
		struct segment *s = j->segments.items[i];

		if (!journal_survey(j, s, durable_bytes(l, n, s->number), i + 1 == j->segments.n, e))
			return false;
	}
	return true;
}

bool journal_sync_names(struct journal *j)
{
	if (file_sync_dir(j->dir) == 0)
		return true;
	journal_warn(j, "unable to sync queue/journal: %s", errno_text(errno));
	return false;
}

static bool recover_segments(struct journal *j, struct err *e)
{
	struct names l = { 0 };
	struct found *f;
	size_t n = 0;
	bool ok = true;

	j->next_segment = 1;
	if (file_list(j->dir, add_segment_name, &l) == -1) {
		free(l.items);
		return err_sys(e, errno, "unable to read queue/journal");
	}
	f = mem_array(NULL, l.n + 1, sizeof *f);
	while (n < l.n && (ok = find_segment(j, l.items[n], &f[n], e)))
		n++;
	/* A process that was killed may have left changes that are not durable. */
	if (!j->o.read_only)
		journal_sync_names(j);
	if (ok)
		ok = recover_found(j, f, n, e);
	else
		while (n)
			file_close(f[--n].fd);
	free(f);
	free(l.items);
	return ok;
}

/* Their names as they are now: files of messages that come meanwhile do not concern recovery. */
static bool list_bodies(struct journal *j, struct recovery *r, struct err *e)
{
	struct names l = { 0 };

	if (file_list(j->bodydir, add_body_name, &l) == -1) {
		free(l.items);
		return err_sys(e, errno, "unable to read queue/body");
	}
	if (l.n)
		qsort(l.items, l.n, sizeof *l.items, by_number);
	if (l.n && l.items[l.n - 1] >= j->next_id)
		j->next_id = l.items[l.n - 1] + 1;
	r->bodies = l.items;
	r->nbodies = l.n;
	return true;
}

bool journal_recover(struct journal *j, struct err *e)
{
	struct recovery *r = j->recovery = mem_zero(1, sizeof *j->recovery);

	if (!recover_segments(j, e) || !list_bodies(j, r, e))
		return false;
	r->segments = j->segments.n;
	r->first_new = j->next_id;
	if (!j->o.read_only)
		journal_has_room(j);
	return true;
}

void journal_recovery_free(struct journal *j)
{
	struct recovery *r = j->recovery;

	if (r == NULL)
		return;
	journal_scan_free(r->scan);
	free(r->bodies);
	free(r);
	j->recovery = NULL;
}

/* ---- the end of recovery ------------------------------------------------------------- */

static bool has_body_file(const struct recovery *r, uint64_t id)
{
	return r->nbodies && bsearch(&id, r->bodies, r->nbodies, sizeof *r->bodies, by_number);
}

/* A message whose body is missing cannot be delivered; END and removal are ordered so that this is damage. */
static void check_bodies(struct journal *j)
{
	const struct recovery *r = j->recovery;
	struct names missing = { 0 };

	for (size_t i = 0; i < j->index.nslots; i++) {
		const struct entry *x = idtable_at(&j->index, i);

		if (x && x->has_body && x->id < r->first_new && !has_body_file(r, x->id))
			names_add(&missing, x->id);
	}
	for (size_t i = 0; i < missing.n; i++) {
		struct entry *x = index_find(&j->index, missing.items[i]);
		uint64_t size = record_size(x->meta_length, x->content_length);

		journal_set_aside(j, x->segment, x->offset, (uint32_t)(x->offset + size),
				  "message without its body file");
		journal_forget(j, x);
	}
	free(missing.items);
}

/* Is everything that was found durable, so that what it does not mention is not needed? */
static bool is_certain(const struct journal *j)
{
	for (size_t i = 0; i < j->segments.n; i++) {
		const struct segment *s = j->segments.items[i];

		if (s->unreadable || s->durable != s->used)
			return false;
	}
	return true;
}

/* A body that no message refers to. After damage it may be all that is left of one. */
static void drop_body(struct journal *j, uint64_t id)
{
	if (j->o.read_only || !is_certain(j))
		return;
	if (j->corrupt)
		journal_set_body_aside(j, id);
	else
		journal_body_discard(j, id);
}

static void recover_bodies(struct journal *j)
{
	const struct recovery *r = j->recovery;

	check_bodies(j);
	for (size_t i = 0; i < r->nbodies; i++) {
		const struct entry *x = index_find(&j->index, r->bodies[i]);

		if (x == NULL || !x->has_body)
			drop_body(j, r->bodies[i]);
	}
}

bool journal_recover_part(struct journal *j)
{
	struct recovery *r = j->recovery;

	if (r == NULL)
		return false;
	if (r->at < r->segments) {
		if (r->scan == NULL)
			r->scan = journal_scan_begin(j, j->segments.items[r->at]);
		if (!journal_scan_part(r->scan, j->o.part ? j->o.part : UINT32_MAX)) {
			r->scan = NULL;
			r->at++;
		}
		return true;
	}
	recover_bodies(j);
	journal_recovery_free(j);
	return false;
}
