#include "journal/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "journal/record.h"
#include "sys/file.h"
#include "wire/wire.h"

#define SPARE "spare"
#define SUFFIX ".journal"

void segment_name(char out[32], uint64_t number)
{
	snprintf(out, 32, "%016llx" SUFFIX, (unsigned long long)number);
}

bool segment_parse_name(const char *name, uint64_t *number)
{
	uint64_t v = 0;

	if (!str_ends(str_of(name), STR(SUFFIX)) || str_of(name).n != 16 + sizeof SUFFIX - 1)
		return false;
	for (int i = 0; i < 16; i++) {
		char c = name[i];

		if (!chr_digit(c) && !(c >= 'a' && c <= 'f'))
			return false;
		v = v << 4 | (uint64_t)(chr_digit(c) ? c - '0' : c - 'a' + 10);
	}
	*number = v;
	return true;
}

struct segment *segment_append(struct segment_list *l, uint64_t number, int fd)
{
	struct segment *s = mem_zero(1, sizeof *s);

	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 16;
		l->items = mem_array(l->items, l->room, sizeof *l->items);
	}
	s->number = s->file = number;
	s->fd = fd;
	l->items[l->n++] = s;
	return s;
}

void segment_drop_oldest(struct segment_list *l)
{
	file_close(l->items[0]->fd);
	free(l->items[0]);
	l->n--;
	memmove(l->items, l->items + 1, l->n * sizeof *l->items);
}

void segment_list_free(struct segment_list *l)
{
	while (l->n)
		segment_drop_oldest(l);
	free(l->items);
	*l = (struct segment_list){ 0 };
}

/* ---- the head ------------------------------------------------------------------------------- */

static void put_head(struct buf *b, const struct segment_head *head)
{
	for (uint32_t copy = 0; copy < 2; copy++) {
		struct record r = { .type = RECORD_SEGMENT,
				    .id = head->next_id,
				    .segment = head->number,
				    .offset = copy * SEGMENT_HEAD / 2 };
		size_t at = b->n;

		buf_room(b, RECORD_HEADER);
		buf_wrote(b, RECORD_HEADER);
		wire_put_u32(b, head->seed);
		wire_put_u32(b, head->size);
		wire_put_u32(b, head->back);
		wire_put_u32(b, head->before);
		r.meta_length = (uint32_t)(b->n - at - RECORD_HEADER);
		r.meta_crc = crc32c(0, b->p + at + RECORD_HEADER, r.meta_length);
		record_put_header(b->p + at, &r, 0);
	}
}

/* One copy. False: damaged; *foreign: whole, but of another version. */
static bool get_head(struct str copy, uint32_t offset, struct segment_head *head, bool *foreign)
{
	struct wire_reader in = wire_reader(str_from(copy, RECORD_HEADER));
	uint32_t version;
	struct record r;

	if (!record_peek_header(copy, 0, &version, &r) || r.type != RECORD_SEGMENT)
		return false;
	if (!record_version_known(version)) {
		*foreign = true;
		return false;
	}
	head->number = r.segment;
	head->next_id = r.id;
	head->seed = wire_get_u32(&in);
	head->size = wire_get_u32(&in);
	head->back = wire_get_u32(&in);
	head->before = wire_get_u32(&in);
	return !in.bad && r.offset == offset && r.meta_length == copy.n - RECORD_HEADER &&
	       crc32c(0, copy.p + RECORD_HEADER, r.meta_length) == r.meta_crc;
}

/* Is there anything but zeros behind the head? */
static bool has_records(int fd)
{
	char bytes[65536];
	uint64_t offset = SEGMENT_HEAD;
	ssize_t got;

	while ((got = file_read_at(fd, bytes, sizeof bytes, offset)) > 0) {
		for (ssize_t i = 0; i < got; i++)
			if (bytes[i])
				return true;
		offset += (uint64_t)got;
	}
	return got < 0;
}

enum segment_state segment_read_head(int fd, struct segment_head *head)
{
	char bytes[SEGMENT_HEAD] = "";
	struct str first = { bytes, SEGMENT_HEAD / 2 }, second = { bytes + SEGMENT_HEAD / 2, SEGMENT_HEAD / 2 };
	struct segment_head other;
	bool foreign = false, good, good2;

	if (file_read_at(fd, bytes, sizeof bytes, 0) == -1)
		return SEGMENT_UNREADABLE;
	good = get_head(first, 0, head, &foreign);
	good2 = get_head(second, SEGMENT_HEAD / 2, &other, &foreign);
	if (foreign)
		return SEGMENT_FOREIGN;
	if (!good)
		*head = other;
	if (good && good2)
		return SEGMENT_GOOD;
	/* With nothing behind it, a head that is not whole is one whose writing was cut off. */
	if (!has_records(fd))
		return good || good2 ? SEGMENT_GOOD : SEGMENT_EMPTY;
	return good || good2 ? SEGMENT_SCRATCHED : SEGMENT_DAMAGED;
}

/* ---- making ------------------------------------------------------------------------------------ */

static int write_head(int fd, const struct segment_head *head)
{
	struct buf b = BUF_INIT(SEGMENT_HEAD);
	int r;

	put_head(&b, head);
	r = file_write_at(fd, b.p, b.n, 0);
	buf_free(&b);
	return r;
}

int segment_create(int dir, const struct segment_head *head, bool *spare)
{
	char name[32];
	int fd = -1, saved;

	segment_name(name, head->number);
	if (*spare && file_rename(dir, SPARE, dir, name) == 0)
		fd = file_open(dir, name, O_RDWR, 0);
	else
		fd = file_open(dir, name, O_RDWR | O_CREAT | O_EXCL, 0600);
	*spare = false;
	if (fd == -1)
		return -1;
	/* Size and name first: a later fdatasync then has only data to write. */
	if (file_reserve(fd, head->size) == 0 && write_head(fd, head) == 0 && file_sync(fd) == 0 &&
	    file_sync_dir(dir) == 0)
		return fd;
	saved = errno;
	file_close(fd);
	file_unlink(dir, name);
	errno = saved;
	return -1;
}

bool segment_make_spare(int dir, uint32_t size)
{
	int fd = file_open(dir, SPARE, O_RDWR | O_CREAT | O_TRUNC, 0600);
	bool ok;

	if (fd == -1)
		return false;
	ok = file_reserve(fd, size) == 0;
	file_close(fd);
	if (!ok)
		file_unlink(dir, SPARE);
	return ok;
}
