#include "conf/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "sys/home.h"
#include "sys/io.h"
#include "sys/random.h"

struct control_map_slot {
	struct str key, value;
	bool used;
};

static struct str trim(struct str line)
{
	while (line.n) {
		struct str t = str_trim_end(line);

		if (t.n && t.p[t.n - 1] == '\r')
			t.n--;
		if (t.n == line.n)
			break;
		line = t;
	}
	return line;
}

/* The whole file into *text; *present false when there is none. */
static bool read_at(int dirfd, const char *path, struct buf *text, bool *present, struct err *e)
{
	struct stat st;
	int fd;
	bool ok;

	*present = false;
	fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1 && errno == ENOENT)
		return true;
	if (fd == -1)
		return err_sys(e, errno, "unable to read %s", path);
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		close(fd);
		return err_perm(e, "unable to read %s: it is a directory", path);
	}
	ok = io_read_rest(fd, text);
	if (!ok)
		err_sys(e, errno, "unable to read %s", path);
	close(fd);
	*present = ok;
	return ok;
}

static bool read_file(const char *name, struct buf *text, bool *present, struct err *e)
{
	char path[300];

	*present = false;
	if ((size_t)snprintf(path, sizeof path, "control/%s", name) >= sizeof path)
		return err_perm(e, "control file name %s is too long", name);
	return read_at(home_dir(), path, text, present, e);
}

bool control_line(const char *name, struct buf *out, bool *present, struct err *e)
{
	struct buf text = BUF_INIT(CONTROL_FILE_MAX);
	struct str rest, line = STR("");
	bool ok = read_file(name, &text, present, e);

	if (ok && *present) {
		rest = buf_str(&text);
		str_next_line(&rest, &line);
		buf_clear(out);
		buf_add(out, trim(line));
		if (!buf_ok(out))
			ok = err_perm(e, "the line in control/%s is too long", name);
	}
	buf_free(&text);
	return ok;
}

bool control_text(const char *name, struct buf *out, bool *present, struct err *e)
{
	buf_clear(out);
	if (!read_file(name, out, present, e))
		return false;
	return buf_ok(out) || err_perm(e, "control/%s is too long", name);
}

bool control_line_or(const char *name, const char *literal, struct buf *out, struct err *e)
{
	bool present;

	if (!control_line(name, out, &present, e))
		return false;
	if (!present) {
		buf_clear(out);
		buf_addz(out, literal);
	}
	return true;
}

bool control_line_or_me(const char *name, const char *literal, struct buf *out, struct err *e)
{
	bool present;

	if (!control_line(name, out, &present, e))
		return false;
	return present || control_line_or("me", literal, out, e);
}

bool control_number(const char *name, uint64_t *value, struct err *e)
{
	struct buf line = BUF_INIT(CONTROL_FILE_MAX);
	struct str s;
	size_t digits = 0;
	bool present, ok = control_line(name, &line, &present, e);

	if (ok && present) {
		s = buf_str(&line);
		while (digits < s.n && chr_digit(s.p[digits]))
			digits++;
		if (digits && !str_to_u64(str_head(s, digits), value))
			*value = UINT64_MAX;
	}
	buf_free(&line);
	return ok;
}

/* Splits text, which the list then owns, into its entries. */
static void split_list(struct buf *text, struct control_list *list)
{
	struct str rest = buf_str(text), line;
	size_t room = 0;

	while (str_next_line(&rest, &line)) {
		line = trim(line);
		if (line.n == 0 || *line.p == '#')
			continue;
		if (list->n == room) {
			room = room ? room * 2 : 16;
			list->items = mem_array(list->items, room, sizeof *list->items);
		}
		list->items[list->n++] = line;
	}
	list->text = text->p;
}

bool control_list_load(const char *name, struct control_list *list, struct err *e)
{
	struct buf text = BUF_INIT(CONTROL_FILE_MAX);

	*list = (struct control_list){ 0 };
	if (!read_file(name, &text, &list->present, e)) {
		buf_free(&text);
		return false;
	}
	split_list(&text, list);
	return true;
}

void control_list_free(struct control_list *list)
{
	free(list->text);
	free(list->items);
	*list = (struct control_list){ 0 };
}

static uint64_t key_hash(const struct control_map *map, struct str key)
{
	char small[256];
	struct buf lower = BUF_INIT(SIZE_MAX);
	uint64_t h;

	if (key.n <= sizeof small) {
		for (size_t i = 0; i < key.n; i++)
			small[i] = chr_lower(key.p[i]);
		return hash_str(map->key, (struct str){ small, key.n });
	}
	buf_add_lower(&lower, key);
	h = hash_str(map->key, buf_str(&lower));
	buf_free(&lower);
	return h;
}

/* The slot that holds key, or the free one where it belongs. */
static struct control_map_slot *find_slot(const struct control_map *map, struct str key)
{
	size_t i = (size_t)key_hash(map, key) & (map->nslots - 1);

	while (map->slots[i].used && !str_ieq(map->slots[i].key, key))
		i = (i + 1) & (map->nslots - 1);
	return &map->slots[i];
}

static void make_slots(struct control_map *map)
{
	map->nslots = 8;
	while (map->nslots < 2 * map->lines.n + 2)
		map->nslots *= 2;
	map->slots = mem_zero(map->nslots, sizeof *map->slots);
	map->key = random_hash_key();
}

static void insert(struct control_map *map, struct str key, struct str value)
{
	*find_slot(map, key) = (struct control_map_slot){ key, value, true };
}

/* Makes a look-up table of map->lines. */
static void index_lines(struct control_map *map, bool with_values)
{
	map->present = map->lines.present;
	make_slots(map);
	for (size_t i = 0; i < map->lines.n; i++) {
		struct str key = map->lines.items[i], value = STR("");

		if (with_values && !str_cut(map->lines.items[i], ':', &key, &value))
			continue;
		insert(map, key, value);
	}
}

static bool load(const char *name, bool with_values, struct control_map *map, struct err *e)
{
	*map = (struct control_map){ 0 };
	if (!control_list_load(name, &map->lines, e))
		return false;
	index_lines(map, with_values);
	return true;
}

bool control_set_load_path(const char *path, struct control_map *map, struct err *e)
{
	struct buf text = BUF_INIT(CONTROL_FILE_MAX);

	*map = (struct control_map){ 0 };
	if (!read_at(AT_FDCWD, path, &text, &map->lines.present, e)) {
		buf_free(&text);
		return false;
	}
	split_list(&text, &map->lines);
	index_lines(map, false);
	return true;
}

bool control_map_load(const char *name, struct control_map *map, struct err *e)
{
	return load(name, true, map, e);
}

bool control_set_load(const char *name, struct control_map *map, struct err *e)
{
	return load(name, false, map, e);
}

void control_set_single(struct control_map *map, struct str key)
{
	*map = (struct control_map){ .present = true };
	map->lines.text = mem_copy(key);
	map->lines.items = mem_array(NULL, 1, sizeof *map->lines.items);
	map->lines.items[0] = (struct str){ map->lines.text, key.n };
	map->lines.n = 1;
	make_slots(map);
	insert(map, map->lines.items[0], STR(""));
}

void control_map_free(struct control_map *map)
{
	control_list_free(&map->lines);
	free(map->slots);
	*map = (struct control_map){ 0 };
}

bool control_map_find(const struct control_map *map, struct str key, struct str *value)
{
	const struct control_map_slot *slot;

	if (map->nslots == 0)
		return false;
	slot = find_slot(map, key);
	if (slot->used && value)
		*value = slot->value;
	return slot->used;
}

size_t control_map_line(const struct control_map *map, struct str value)
{
	size_t low = 0, high = map->lines.n;

	/* Lines stand in memory in their order: the last one that begins before the value. */
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (map->lines.items[middle].p <= value.p)
			low = middle;
		else
			high = middle;
	}
	return low;
}

bool control_map_find_domain(const struct control_map *map, struct str domain, struct str *value)
{
	if (control_map_find(map, domain, value))
		return true;
	for (size_t i = 0; i < domain.n; i++)
		if (domain.p[i] == '.' && control_map_find(map, str_from(domain, i), value))
			return true;
	return false;
}

uint64_t control_fingerprint(const char *const *names, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		char path[100];
		struct stat st;

		snprintf(path, sizeof path, "control/%s", names[i]);
		sum = hash_u64(sum + i);
		if (fstatat(home_dir(), path, &st, 0) == -1)
			continue;
		sum = hash_u64(sum + (uint64_t)st.st_ino);
		sum = hash_u64(sum + (uint64_t)st.st_size);
		sum = hash_u64(sum + (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec);
	}
	return sum;
}
