#include "classicqueue/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "sys/file.h"
#include "sys/random.h"

#define FILE_MAX (1u << 30)

static size_t *slot_of(const struct progress *p, uint64_t a)
{
	size_t i = (size_t)hash_u64(a);

	while (p->slots[i & (p->nslots - 1)] && p->items[p->slots[i & (p->nslots - 1)] - 1].a != a)
		i++;
	return &p->slots[i & (p->nslots - 1)];
}

static void make_slots(struct progress *p)
{
	free(p->slots);
	p->nslots = 2 * p->room;
	p->slots = mem_zero(p->nslots, sizeof *p->slots);
	for (size_t i = 0; i < p->n; i++)
		*slot_of(p, p->items[i].a) = i + 1;
}

static void remember(struct progress *p, struct progress_pair pair)
{
	if (p->n == p->room) {
		p->room = p->room ? 2 * p->room : 256;
		p->items = mem_array(p->items, p->room, sizeof *p->items);
		make_slots(p);
	}
	p->items[p->n++] = pair;
	*slot_of(p, pair.a) = p->n;
}

static void take_line(struct progress *p, struct str line)
{
	struct str word, rest, a, b;
	struct progress_pair pair;

	if (!str_cut(line, ' ', &word, &rest))
		return;
	if (str_eq(word, STR("id"))) {
		snprintf(p->id, sizeof p->id, "%.*s", STR_ARG(str_head(rest, sizeof p->id - 1)));
		return;
	}
	pair.done = str_eq(word, STR("done"));
	if (str_cut(rest, ' ', &a, &b) && str_to_u64(a, &pair.a) && str_to_u64(b, &pair.b))
		remember(p, pair);
}

static bool append(struct progress *p, const struct buf *text, struct err *e)
{
	if (file_append(p->fd, text->p, text->n) == -1 || file_sync(p->fd) == -1)
		return err_sys(e, errno, "unable to write down what is done");
	return true;
}

static bool begin(struct progress *p, int dir, struct err *e)
{
	struct buf line = BUF_INIT(64);
	unsigned char bytes[8];
	bool ok;

	random_bytes(bytes, sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++)
		snprintf(p->id + 2 * i, 3, "%02x", bytes[i]);
	buf_addf(&line, "id %s\n", p->id);
	ok = append(p, &line, e) && (file_sync_dir(dir) == 0 || err_sys(e, errno, "unable to sync the directory"));
	buf_free(&line);
	return ok;
}

bool progress_open(struct progress *p, int dir, const char *name, struct err *e)
{
	struct buf text = BUF_INIT(FILE_MAX);
	struct str rest, line;
	int64_t size;
	char *room;

	*p = (struct progress){ .fd = file_open(dir, name, O_RDWR | O_CREAT | O_APPEND, 0600) };
	if (p->fd == -1)
		return err_sys(e, errno, "unable to open %s, where is written down what is done", name);
	size = file_size(p->fd);
	room = size < 0 ? NULL : buf_room(&text, (size_t)size + 1);
	if (room == NULL || file_read_at(p->fd, room, (size_t)size, 0) != size)
		return err_sys(e, errno, "unable to read %s", name);
	buf_wrote(&text, (size_t)size);
	/* A line that was cut off: what comes next must not be joined to it. */
	if (text.n && text.p[text.n - 1] != '\n') {
		size_t end = str_rchr(buf_str(&text), '\n');

		buf_truncate(&text, end == text.n ? 0 : end + 1);
		if (file_truncate(p->fd, text.n) == -1)
			return err_sys(e, errno, "unable to repair %s", name);
	}
	rest = buf_str(&text);
	while (str_next_line(&rest, &line))
		take_line(p, line);
	buf_free(&text);
	return p->id[0] || begin(p, dir, e);
}

void progress_close(struct progress *p)
{
	if (p->fd != -1)
		file_close(p->fd);
	free(p->items);
	free(p->slots);
	*p = (struct progress){ .fd = -1 };
}

const struct progress_pair *progress_find(const struct progress *p, uint64_t a)
{
	size_t i = p->nslots ? *slot_of(p, a) : 0;

	return i ? &p->items[i - 1] : NULL;
}

bool progress_add(struct progress *p, const struct progress_pair *pairs, size_t n, struct err *e)
{
	struct buf lines = BUF_INIT(SIZE_MAX);
	bool ok;

	for (size_t i = 0; i < n; i++)
		buf_addf(&lines, "%s %llu %llu\n", pairs[i].done ? "done" : "begun", (unsigned long long)pairs[i].a,
			 (unsigned long long)pairs[i].b);
	ok = append(p, &lines, e);
	for (size_t i = 0; ok && i < n; i++)
		remember(p, pairs[i]);
	buf_free(&lines);
	return ok;
}
