#include "journal/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "journal/record.h"
#include "sys/file.h"

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
	s->number = number;
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

static int write_first_record(int fd, uint64_t number, uint64_t next_id)
{
	char header[RECORD_HEADER];
	struct record r = { .type = RECORD_SEGMENT, .id = next_id, .segment = number };

	record_put_header(header, &r);
	return file_write_at(fd, header, sizeof header, 0);
}

int segment_create(int dir, uint64_t number, uint32_t size, uint64_t next_id, bool *spare)
{
	char name[32];
	int fd = -1, saved;

	segment_name(name, number);
	if (*spare && file_rename(dir, SPARE, dir, name) == 0)
		fd = file_open(dir, name, O_RDWR, 0);
	else
		fd = file_open(dir, name, O_RDWR | O_CREAT | O_EXCL, 0600);
	*spare = false;
	if (fd == -1)
		return -1;
	/* Size and name first: a later fdatasync then has only data to write. */
	if (file_reserve(fd, size) == 0 && write_first_record(fd, number, next_id) == 0 && file_sync(fd) == 0 &&
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
