/* journal_aside: damage is reported, and its bytes are kept in queue/corrupt/. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

#include "journal/journal_internal.h"
#include "sys/file.h"

void journal_damage(struct journal *j, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	j->corrupt++;
	journal_warn(j, "%s", text);
}

/* queue/corrupt/, made if need be; -1 with errno. */
static int open_corrupt(struct journal *j)
{
	int dir = file_open_dir(j->queuedir, "corrupt");

	if (dir == -1 && errno == ENOENT && file_make_dir(j->queuedir, "corrupt", 0700) == 0 &&
	    file_sync_dir(j->queuedir) == 0)
		dir = file_open_dir(j->queuedir, "corrupt");
	return dir;
}

static bool write_copy(int dir, const char *file, struct str bytes)
{
	int fd = file_open(dir, file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	bool ok =
	    fd != -1 && file_write_at(fd, bytes.p, bytes.n, 0) == 0 && file_sync(fd) == 0 && file_sync_dir(dir) == 0;

	if (fd != -1)
		file_close(fd);
	return ok;
}

void journal_keep_bytes(struct journal *j, const struct segment *s, uint32_t from, uint32_t to, const char *why)
{
	struct buf bytes = BUF_INIT(SIZE_MAX);
	char file[48];
	int dir;

	snprintf(file, sizeof file, "%016llx-%08x", (unsigned long long)s->number, from);
	journal_warn(j, "%s: bytes %lu to %lu of journal segment %016llx; kept as queue/corrupt/%s", why,
		     (unsigned long)from, (unsigned long)to, (unsigned long long)s->number, file);
	if (j->o.read_only)
		return;
	dir = open_corrupt(j);
	if (dir == -1 || !journal_read_range(s, from, to - from, &bytes) || !write_copy(dir, file, buf_str(&bytes)))
		journal_warn(j, "unable to write queue/corrupt/%s: %s", file, errno_text(errno));
	if (dir != -1)
		file_close(dir);
	buf_free(&bytes);
}

void journal_set_aside(struct journal *j, const struct segment *s, uint32_t from, uint32_t to, const char *why)
{
	j->corrupt++;
	journal_keep_bytes(j, s, from, to, why);
}

/* Moves a file to queue/corrupt/. */
static bool move_aside(struct journal *j, int fromdir, const char *from, const char *to)
{
	int dir = open_corrupt(j);
	bool ok = dir != -1 && file_rename(fromdir, from, dir, to) == 0 && file_sync_dir(dir) == 0 &&
		  file_sync_dir(fromdir) == 0;

	if (!ok)
		journal_warn(j, "unable to make queue/corrupt/%s: %s", to, errno_text(errno));
	if (dir != -1)
		file_close(dir);
	return ok;
}

bool journal_set_file_aside(struct journal *j, const char *name, const char *why)
{
	journal_damage(j, "queue/journal/%s: %s; moved to queue/corrupt", name, why);
	return j->o.read_only || move_aside(j, j->dir, name, name);
}

void journal_set_body_aside(struct journal *j, uint64_t id)
{
	char from[32], to[40];

	snprintf(from, sizeof from, "%llu", (unsigned long long)id);
	snprintf(to, sizeof to, "body-%s", from);
	journal_warn(j, "queue/body/%s: no message refers to it; moved to queue/corrupt/%s", from, to);
	move_aside(j, j->bodydir, from, to);
}
