#include "quill/upgrade_report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/mem.h"
#include "sys/file.h"

#define TEXT_MAX 1000
#define WIDTH 100
#define FILE_MAX (1u << 20)

static const char *const verdicts[] = { "used", "differs", "ignored" };

/* Names come from directories of others. */
static void add_plain(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_addc(b, (unsigned char)s.p[i] < 32 || s.p[i] == 127 ? '?' : s.p[i]);
}

static void gather(struct upgrade_report *r, struct str name)
{
	if (r->used_width && r->used_width + 1 + name.n > WIDTH) {
		buf_addc(&r->used, '\n');
		r->used_width = 0;
	}
	buf_addz(&r->used, r->used_width ? " " : "         ");
	r->used_width += r->used_width ? 1 : 9;
	add_plain(&r->used, name);
	r->used_width += name.n;
}

static void put_object(enum verdict v, struct str name, struct str text)
{
	struct buf line = BUF_INIT(SIZE_MAX);

	buf_addc(&line, '{');
	json_str(&line, "name", name);
	json_str(&line, "verdict", str_of(verdicts[v]));
	json_str(&line, "text", text);
	buf_addz(&line, "}\n");
	fwrite(line.p, 1, line.n, stdout);
	buf_free(&line);
}

static void put_line(enum verdict v, struct str name, struct str text)
{
	struct buf line = BUF_INIT(SIZE_MAX);

	buf_addf(&line, "%-8s ", verdicts[v]);
	add_plain(&line, name);
	buf_addz(&line, text.n ? ": " : "");
	add_plain(&line, text);
	buf_addc(&line, '\n');
	fwrite(line.p, 1, line.n, stdout);
	buf_free(&line);
}

void upgrade_say(struct upgrade_report *r, enum verdict v, const char *part, struct str name, const char *fmt, ...)
{
	struct buf path = BUF_INIT(SIZE_MAX);
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	buf_addz(&path, part);
	if (*part && name.n && name.p[0] != '/')
		buf_addc(&path, '/');
	buf_add(&path, name);
	r->counts[v]++;
	if (r->json)
		put_object(v, buf_str(&path), str_of(text));
	else if (v == VERDICT_USED && *text == '\0')
		gather(r, buf_str(&path));
	else
		put_line(v, buf_str(&path), str_of(text));
	buf_free(&path);
}

void upgrade_end(struct upgrade_report *r)
{
	if (!r->json) {
		if (r->used.n)
			printf("used as they are:\n%.*s\n", STR_ARG(buf_str(&r->used)));
		printf("%zu used, %zu differ, %zu ignored\n", r->counts[VERDICT_USED], r->counts[VERDICT_DIFFERS],
		       r->counts[VERDICT_IGNORED]);
	}
	buf_free(&r->used);
}

/* ---- files ------------------------------------------------------------------------------------------ */

static bool collect(void *ctx, const char *name)
{
	struct upgrade_names *names = ctx;

	if (*name == '.' && !names->hidden)
		return true;
	if ((names->n & (names->n - 1)) == 0)
		names->items = mem_array(names->items, 2 * names->n + 1, sizeof *names->items);
	names->items[names->n++] = mem_copy(str_of(name));
	return true;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

bool upgrade_names(struct upgrade_names *names, const char *directory)
{
	int dir = file_open_dir(AT_FDCWD, directory), saved;
	bool ok = dir != -1 && file_list(dir, collect, names) == 0;

	saved = errno;
	if (dir != -1)
		file_close(dir);
	if (names->n)
		qsort(names->items, names->n, sizeof *names->items, compare);
	errno = saved;
	return ok;
}

void upgrade_names_free(struct upgrade_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->items[i]);
	free(names->items);
	*names = (struct upgrade_names){ .hidden = names->hidden };
}

bool upgrade_read(const char *path, struct buf *text)
{
	/* Scripts may be links; a FIFO must not stop us. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	char *room;
	ssize_t n = -1;

	*text = BUF_INIT(FILE_MAX + 1);
	if (fd == -1)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= FILE_MAX &&
	    (room = buf_room(text, (size_t)st.st_size + 1)) != NULL)
		n = file_read_at(fd, room, (size_t)st.st_size, 0);
	if (n > 0)
		buf_wrote(text, (size_t)n);
	file_close(fd);
	return n >= 0;
}
