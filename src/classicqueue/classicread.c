#include "classicqueue/classicread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "classicqueue/classicform.h"
#include "sys/file.h"

#define ENVELOPE_MAX (256u << 20)
#define PATH_BYTES 64
enum { FILE_TODO, FILE_INFO, FILE_LOCAL, FILE_REMOTE, FILE_BOUNCE };

bool classic_open(const char *path, int *dir, int *lock, struct err *e)
{
	struct stat st;

	*dir = file_open_dir(AT_FDCWD, path);
	if (*dir == -1)
		return err_sys(e, errno, "unable to open %s", path);
	if (fstatat(*dir, "mess", &st, 0) == -1 || !S_ISDIR(st.st_mode)) {
		file_close(*dir);
		return err_perm(e, "%s has no directory mess: it is no queue of qmail's", path);
	}
	*lock = file_open(*dir, "lock/sendmutex", O_RDWR, 0);
	if (*lock == -1 && errno == ENOENT)
		return true;
	if (*lock != -1 && flock(*lock, LOCK_EX | LOCK_NB) == 0)
		return true;
	if (*lock == -1)
		err_sys(e, errno, "unable to open %s/lock/sendmutex", path);
	else
		err_temp(e, "a qmail-send is running on %s; stop it first", path);
	file_close(*dir);
	if (*lock != -1)
		file_close(*lock);
	return false;
}

/* ---- which messages there are ------------------------------------------------------------- */

struct numbers {
	int dir;
	uint64_t *items;
	size_t n, room;
};

static bool take_number(void *ctx, const char *name)
{
	struct numbers *all = ctx;
	uint64_t number;

	if (!str_to_u64(str_of(name), &number))
		return true;
	if (all->n == all->room) {
		all->room = all->room ? 2 * all->room : 256;
		all->items = mem_array(all->items, all->room, sizeof *all->items);
	}
	all->items[all->n++] = number;
	return true;
}

static bool take_split(void *ctx, const char *name)
{
	struct numbers *all = ctx;
	char path[300];
	int fd;

	snprintf(path, sizeof path, "mess/%s", name);
	fd = file_open_dir(all->dir, path);
	if (fd == -1)
		return true;
	file_list(fd, take_number, all);
	file_close(fd);
	return true;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

bool classic_numbers(int dir, uint64_t **numbers, size_t *n, struct err *e)
{
	struct numbers all = { .dir = dir };
	int mess = file_open_dir(dir, "mess"), r = mess == -1 ? -1 : file_list(mess, take_split, &all);

	if (mess != -1)
		file_close(mess);
	if (r == -1)
		return err_sys(e, errno, "unable to list mess");
	if (all.n)
		qsort(all.items, all.n, sizeof *all.items, by_number);
	*numbers = all.items;
	*n = all.n;
	return true;
}

/* ---- one message ----------------------------------------------------------------------------- */

/* How many directories below mess/: a number is in the one that is its rest. */
static bool count_split(void *ctx, const char *name)
{
	uint64_t number, *split = ctx;

	if (str_to_u64(str_of(name), &number) && number >= *split)
		*split = number + 1;
	return true;
}

static uint64_t split_of(int dir)
{
	uint64_t split = 1;
	int mess = file_open_dir(dir, "mess");

	if (mess == -1)
		return 1;
	file_list(mess, count_split, &split);
	file_close(mess);
	return split;
}

/* Reads a whole file. 1: it is there; 0: it is not; -1: trouble. */
static int read_file(int dir, const char *path, struct buf *out, struct stat *st, struct err *e)
{
	int fd = file_open(dir, path, O_RDONLY, 0);
	ssize_t got = -1;
	char *room;

	*out = BUF_INIT(ENVELOPE_MAX);
	if (fd == -1 && errno == ENOENT)
		return 0;
	if (fd != -1 && fstat(fd, st) == 0 && (room = buf_room(out, (size_t)st->st_size + 1)) != NULL)
		got = file_read_at(fd, room, (size_t)st->st_size, 0);
	if (got >= 0)
		buf_wrote(out, (size_t)got);
	else
		err_sys(e, errno, "unable to read %s", path);
	if (fd != -1)
		file_close(fd);
	return got >= 0 ? 1 : -1;
}

struct adding {
	struct classic_message *m;
	bool local, remote;
};

static void add(void *ctx, struct str address, bool done)
{
	struct adding *a = ctx;
	struct classic_message *m = a->m;

	if (m->nrecipients == m->room) {
		m->room = m->room ? 2 * m->room : 8;
		m->recipients = mem_array(m->recipients, m->room, sizeof *m->recipients);
	}
	m->recipients[m->nrecipients++] = (struct classic_recipient){ address, done, a->local, a->remote };
}

static bool strange(struct err *e, const char *path)
{
	return err_perm(e, "%s is not what such a file should be", path);
}

static bool read_todo(struct classic_message *m, const struct stat *st, const char *path, struct err *e)
{
	struct adding a = { .m = m };
	struct classic_todo t;

	if (!classic_todo(buf_str(&m->files[FILE_TODO]), &t, add, &a))
		return strange(e, path);
	m->uid = t.uid;
	m->pid = t.pid;
	m->sender = t.sender;
	m->birth = st->st_mtime;
	return true;
}

/* local and remote; the next attempt is the time of the file. */
static bool read_channel(int dir, struct classic_message *m, uint64_t split, bool local, struct err *e)
{
	struct adding a = { m, local, !local };
	struct buf *file = &m->files[local ? FILE_LOCAL : FILE_REMOTE];
	char path[PATH_BYTES];
	struct stat st;
	int r;

	snprintf(path, sizeof path, "%s/%llu/%llu", local ? "local" : "remote", (unsigned long long)(m->number % split),
		 (unsigned long long)m->number);
	r = read_file(dir, path, file, &st, e);
	if (r <= 0)
		return r == 0;
	if (m->due == 0 || st.st_mtime < m->due)
		m->due = st.st_mtime;
	return classic_channel(buf_str(file), add, &a) || strange(e, path);
}

static bool read_preprocessed(int dir, struct classic_message *m, uint64_t split, const char *path, struct err *e)
{
	char bounce[PATH_BYTES];
	struct stat st;

	if (!classic_info(buf_str(&m->files[FILE_INFO]), &m->sender))
		return strange(e, path);
	snprintf(bounce, sizeof bounce, "bounce/%llu", (unsigned long long)m->number);
	if (!read_channel(dir, m, split, true, e) || !read_channel(dir, m, split, false, e) ||
	    read_file(dir, bounce, &m->files[FILE_BOUNCE], &st, e) == -1)
		return false;
	m->bounce = buf_str(&m->files[FILE_BOUNCE]);
	return true;
}

static bool anything_left(const struct classic_message *m)
{
	for (uint32_t i = 0; i < m->nrecipients; i++)
		if (!m->recipients[i].done)
			return true;
	return m->bounce.n != 0;
}

static bool open_content(int dir, struct classic_message *m, uint64_t split, struct err *e)
{
	char path[PATH_BYTES];
	struct stat st;

	snprintf(path, sizeof path, "mess/%llu/%llu", (unsigned long long)(m->number % split),
		 (unsigned long long)m->number);
	m->content = file_open(dir, path, O_RDONLY, 0);
	if (m->content == -1 || fstat(m->content, &st) == -1)
		return err_sys(e, errno, "unable to open %s", path);
	m->stamp = (uint64_t)st.st_mtime;
	return true;
}

/* todo/N, or todo/S/N where a queue with very many new messages was foreseen. */
static int find_todo(int dir, struct classic_message *m, uint64_t split, char path[PATH_BYTES], struct stat *st,
		     struct err *e)
{
	int r;

	snprintf(path, PATH_BYTES, "todo/%llu/%llu", (unsigned long long)(m->number % split),
		 (unsigned long long)m->number);
	r = read_file(dir, path, &m->files[FILE_TODO], st, e);
	if (r != 0)
		return r;
	snprintf(path, PATH_BYTES, "todo/%llu", (unsigned long long)m->number);
	return read_file(dir, path, &m->files[FILE_TODO], st, e);
}

static bool read_envelope(int dir, struct classic_message *m, uint64_t split, enum classic_found *found, struct err *e)
{
	char path[PATH_BYTES];
	struct stat st;
	int r = find_todo(dir, m, split, path, &st, e);

	/* While todo is there, the rest is not settled. */
	if (r != 0)
		return r == 1 && read_todo(m, &st, path, e);
	snprintf(path, sizeof path, "info/%llu/%llu", (unsigned long long)(m->number % split),
		 (unsigned long long)m->number);
	r = read_file(dir, path, &m->files[FILE_INFO], &st, e);
	if (r == 0)
		*found = CLASSIC_UNFINISHED;
	if (r <= 0)
		return r == 0;
	m->birth = st.st_mtime;
	if (!read_preprocessed(dir, m, split, path, e))
		return false;
	if (!anything_left(m))
		*found = CLASSIC_FINISHED;
	return true;
}

bool classic_read(int dir, uint64_t number, struct classic_message *m, enum classic_found *found, struct err *e)
{
	uint64_t split = split_of(dir);

	*m = (struct classic_message){ .number = number, .content = -1 };
	*found = CLASSIC_MESSAGE;
	if (read_envelope(dir, m, split, found, e) && (*found != CLASSIC_MESSAGE || open_content(dir, m, split, e))) {
		if (*found != CLASSIC_MESSAGE)
			classic_message_free(m);
		return true;
	}
	classic_message_free(m);
	return false;
}

void classic_message_free(struct classic_message *m)
{
	for (size_t i = 0; i < sizeof m->files / sizeof *m->files; i++)
		buf_free(&m->files[i]);
	free(m->recipients);
	if (m->content != -1)
		file_close(m->content);
	*m = (struct classic_message){ .content = -1 };
}
