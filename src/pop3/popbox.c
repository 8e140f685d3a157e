#include "pop3/popbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "pop3/poptext.h"
#include "sys/clock.h"
#include "sys/file.h"

#define UID_MAX 70
#define PATH_LIMIT 8192
#define FOLDER 4 /* length of "new/" */

/* ---- open and close --------------------------------------------------------------- */

bool popbox_open(struct popbox *b, struct err *e)
{
	*b = (struct popbox){ .dir = file_open_dir(AT_FDCWD, "."), .quota = MAILDIRQUOTA_INIT };
	if (b->dir == -1)
		return err_sys(e, errno, "unable to open the Maildir");
	maildir_clean_tmp(b->dir, clock_wall());
	if (!maildir_scan_names(b->dir, true, clock_wall(), &b->list, e))
		return false;
	b->messages = mem_zero(b->list.n, sizeof *b->messages);
	for (size_t i = 0; i < b->list.n; i++)
		b->messages[i].size = POPBOX_UNKNOWN;
	return true;
}

void popbox_close(struct popbox *b)
{
	maildir_list_free(&b->list);
	free(b->messages);
	b->messages = NULL;
	maildirquota_close(&b->quota);
	if (b->dir != -1)
		file_close(b->dir);
	b->dir = -1;
}

/* ---- finding ---------------------------------------------------------------------- */

static struct str name_of(const struct popbox *b, size_t i)
{
	return str_of(b->list.entry[i].path + FOLDER);
}

/* What of a name never changes. */
static struct str unique_part(struct str name)
{
	return str_head(name, str_chr(name, ':'));
}

struct seeking {
	struct str unique;
	struct buf path;
	const char *folder;
};

static bool is_it(void *ctx, const char *name)
{
	struct seeking *s = ctx;

	if (!str_eq(unique_part(str_of(name)), s->unique))
		return true;
	buf_addf(&s->path, "%s/%s", s->folder, name);
	return false;
}

/* A message that is not where it was; the entry gets its new path. */
static bool seek_again(struct popbox *b, size_t i)
{
	static const char *const folders[] = { "cur", "new" };
	struct seeking s = { unique_part(name_of(b, i)), BUF_INIT(PATH_LIMIT), NULL };
	bool found;

	for (size_t k = 0; k < 2 && s.path.n == 0; k++) {
		int fd = file_open_dir(b->dir, folders[k]);

		s.folder = folders[k];
		if (fd == -1)
			continue;
		(void)file_list(fd, is_it, &s);
		file_close(fd);
	}
	found = s.path.n > 0;
	if (found) {
		char *path = mem_copy(buf_str(&s.path));

		free(b->list.entry[i].path);
		b->list.entry[i].path = path;
	}
	buf_free(&s.path);
	return found;
}

/* No pipes, devices or links: only what is a message. */
static int open_here(const struct popbox *b, size_t i)
{
	int fd = file_open(b->dir, b->list.entry[i].path, O_RDONLY | O_NONBLOCK, 0);
	struct stat st;

	if (fd != -1 && (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))) {
		file_close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

int popbox_open_message(struct popbox *b, size_t i)
{
	int fd = open_here(b, i);

	return fd == -1 && errno == ENOENT && seek_again(b, i) ? open_here(b, i) : fd;
}

/* ---- size and id ------------------------------------------------------------------ */

static uint64_t measure(struct popbox *b, size_t i)
{
	/* Large for a stack; one at a time. */
	static char block[65536];
	struct popsize size = { 0 };
	int fd = popbox_open_message(b, i);
	ssize_t r;

	if (fd == -1)
		return b->list.entry[i].size;
	while ((r = read(fd, block, sizeof block)) > 0)
		popsize_add(&size, (struct str){ block, (size_t)r });
	file_close(fd);
	return popsize_end(&size);
}

uint64_t popbox_size(struct popbox *b, size_t i)
{
	uint64_t *size = &b->messages[i].size;

	if (*size == POPBOX_UNKNOWN && !maildir_name_size(name_of(b, i), 'W', size))
		*size = measure(b, i);
	return *size;
}

static bool visible(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 33 || s.p[i] > 126)
			return false;
	return s.n > 0 && s.n <= UID_MAX;
}

void popbox_uid_of(struct str name, struct buf *out)
{
	/* Not secret: the same name has the same id for ever. */
	static const struct hash_key keys[2] = { { 0, 1 }, { 2, 3 } };
	struct str unique = unique_part(name), brief = str_head(unique, str_chr(unique, ','));

	if (visible(unique))
		buf_add(out, unique);
	else if (visible(brief))
		buf_add(out, brief);
	else
		buf_addf(out, "%016llx%016llx", (unsigned long long)hash_str(keys[0], unique),
			 (unsigned long long)hash_str(keys[1], unique));
}

void popbox_uid(const struct popbox *b, size_t i, struct buf *out)
{
	popbox_uid_of(name_of(b, i), out);
}

/* ---- the end ---------------------------------------------------------------------- */

static bool remove_message(struct popbox *b, size_t i)
{
	int r = file_unlink(b->dir, b->list.entry[i].path);

	if (r == -1 && errno == ENOENT)
		/* Somebody else was faster, or has moved it. */
		r = seek_again(b, i) ? file_unlink(b->dir, b->list.entry[i].path) : 0;
	else if (r == 0 && b->quota.dir != -1 && !maildir_name_flag(name_of(b, i), 'T'))
		maildirquota_count(&b->quota, -(int64_t)b->list.entry[i].size, -1);
	return r == 0;
}

/* To cur/, where the messages are that a reader has been told of. */
static void mark_told(struct popbox *b, size_t i)
{
	struct buf path = BUF_INIT(PATH_LIMIT);

	if (!str_starts(str_of(b->list.entry[i].path), STR("new/")))
		return;
	buf_addf(&path, "cur/%.*s:2,", STR_ARG(unique_part(name_of(b, i))));
	if (buf_ok(&path))
		(void)file_rename(b->dir, b->list.entry[i].path, b->dir, buf_cstr(&path));
	buf_free(&path);
}

size_t popbox_commit(struct popbox *b)
{
	size_t failed = 0;
	struct err e;

	(void)maildirquota_open(".", NULL, &b->quota, &e);
	for (size_t i = 0; i < b->list.n; i++) {
		if (b->messages[i].deleted)
			failed += !remove_message(b, i);
		else
			mark_told(b, i);
	}
	return failed;
}
