#include "mailbox/maildirquota.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/file.h"
#include "sys/io.h"
#include "sys/random.h"

#define FILE_NAME "maildirsize"
/* The protocol's: a longer file is written anew, and one that says "full" is believed for so long. */
#define FILE_LONG 5120
#define FILE_BELIEVED_SECONDS 900
#define FILE_MAX (1u << 20)
/* No message is so large that somebody should count for it. */
#define ROOM_ENOUGH (64u << 20)
#define PATH_LIMIT 8192

/* ---- the file --------------------------------------------------------------------- */

struct state {
	struct maildirsize size;
	int64_t length, mtime;
};

/* ENOENT is no error: *there says. A damaged file counts as not there. */
static bool read_file(int dir, struct state *s, bool *there, struct err *e)
{
	struct buf text = BUF_INIT(FILE_MAX);
	int fd = file_open(dir, FILE_NAME, O_RDONLY | O_NONBLOCK, 0);
	struct stat st;
	bool ok = true;

	*there = false;
	if (fd == -1)
		return errno == ENOENT || errno == ELOOP || err_sys(e, errno, "unable to open " FILE_NAME);
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) || !io_read_rest(fd, &text))
		ok = errno == EFBIG || err_sys(e, errno, "unable to read " FILE_NAME);
	else
		*there = maildirsize_parse(buf_str(&text), &s->size);
	s->length = (int64_t)text.n;
	s->mtime = st.st_mtim.tv_sec;
	buf_free(&text);
	file_close(fd);
	return ok;
}

/* Nobody relies on it after a crash: it is counted again then. */
static void write_file(int dir, const struct maildirsize *s)
{
	struct buf name = BUF_INIT(PATH_LIMIT), text = BUF_INIT(PATH_LIMIT);
	uint64_t bits;
	int fd;

	random_bytes(&bits, sizeof bits);
	buf_addf(&name, "tmp/%lld.%ld.%016llx." FILE_NAME, (long long)clock_wall(), (long)getpid(),
		 (unsigned long long)bits);
	maildir_quota_format(&text, &s->quota);
	buf_addf(&text, "\n%lld %lld\n", (long long)s->bytes, (long long)s->messages);
	fd = file_open(dir, buf_cstr(&name), O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd != -1) {
		bool ok = file_append(fd, text.p, text.n) == 0;

		if (file_close(fd) == -1 || !ok || file_rename(dir, buf_cstr(&name), dir, FILE_NAME) == -1)
			file_unlink(dir, buf_cstr(&name));
	}
	buf_free(&name);
	buf_free(&text);
}

/* ---- counting --------------------------------------------------------------------- */

struct counting {
	int maildir;
	int folder; /* being read */
	struct maildirsize *size;
	uint64_t times; /* changes when a folder does */
	bool failed;
};

static bool count_message(void *ctx, const char *z)
{
	struct counting *c = ctx;
	struct str name = str_of(z);
	uint64_t bytes;
	struct stat st;

	if (*z == '.' || maildir_name_flag(name, 'T'))
		return true;
	if (!maildir_name_size(name, 'S', &bytes)) {
		if (fstatat(c->folder, z, &st, AT_SYMLINK_NOFOLLOW) == -1 || !S_ISREG(st.st_mode))
			return true;
		bytes = (uint64_t)st.st_size;
	}
	c->size->bytes += (int64_t)bytes;
	c->size->messages++;
	return true;
}

static void count_directory(struct counting *c, const char *folder, const char *part)
{
	struct buf path = BUF_INIT(PATH_LIMIT);
	struct stat st;

	buf_addf(&path, "%s%s%s", folder, *folder ? "/" : "", part);
	c->folder = file_open_dir(c->maildir, buf_cstr(&path));
	if (c->folder != -1 && fstat(c->folder, &st) == 0) {
		c->times = c->times * 31 + (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
		c->failed |= file_list(c->folder, count_message, c) == -1;
	} else if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP) {
		c->failed = true;
	}
	if (c->folder != -1)
		file_close(c->folder);
	buf_free(&path);
}

static bool count_folder(void *ctx, const char *name)
{
	struct counting *c = ctx;

	if (*name != '.' || strcmp(name, ".Trash") == 0)
		return true;
	count_directory(c, name, "new");
	count_directory(c, name, "cur");
	return !c->failed;
}

static bool count_all(int maildir, struct maildirsize *s, uint64_t *times)
{
	struct counting c = { .maildir = maildir, .size = s };

	s->bytes = s->messages = 0;
	count_directory(&c, "", "new");
	count_directory(&c, "", "cur");
	if (file_list(maildir, count_folder, &c) == -1)
		c.failed = true;
	*times = c.times;
	return !c.failed;
}

bool maildirquota_recount(const struct maildirquota *q, struct maildirsize *s, struct err *e)
{
	struct maildirsize again = { .quota = q->quota };
	uint64_t before, after;

	*s = again;
	if (!count_all(q->dir, s, &before) || !count_all(q->dir, &again, &after))
		return err_sys(e, errno, "unable to count the messages of a Maildir");
	/* Somebody delivers or reads at this moment: what was counted may be in the file twice. */
	if (before == after && s->bytes == again.bytes)
		write_file(q->dir, s);
	else
		file_unlink(q->dir, FILE_NAME);
	return true;
}

/* ---- the interface ---------------------------------------------------------------- */

/* The Maildir itself, or the one above when it is a folder. */
static int open_root(const char *dir)
{
	int fd = file_open_dir(AT_FDCWD, dir), above;

	if (fd == -1 || faccessat(fd, "maildirfolder", F_OK, AT_SYMLINK_NOFOLLOW) == -1)
		return fd;
	above = file_open_dir(fd, "..");
	file_close(fd);
	return above;
}

bool maildirquota_open(const char *dir, const struct maildir_quota *known, struct maildirquota *q, struct err *e)
{
	struct state s;
	bool there;

	*q = MAILDIRQUOTA_INIT;
	if (known && !maildir_quota_limits(known))
		return true;
	q->dir = open_root(dir);
	if (known)
		q->quota = *known;
	/* Without a Maildir there will be no delivery either, which says so. */
	if (q->dir == -1 || known)
		return true;
	if (!read_file(q->dir, &s, &there, e)) {
		maildirquota_close(q);
		return false;
	}
	q->quota = s.size.quota;
	if (!there || !maildir_quota_limits(&s.size.quota))
		maildirquota_close(q);
	return true;
}

void maildirquota_close(struct maildirquota *q)
{
	if (q->dir != -1)
		file_close(q->dir);
	q->dir = -1;
}

static bool doubtful(const struct maildirquota *q, const struct state *s, uint64_t bytes)
{
	if (s->length > FILE_LONG || s->size.quota.bytes != q->quota.bytes ||
	    s->size.quota.messages != q->quota.messages)
		return true;
	if (!maildirsize_over(&s->size, bytes, 1))
		return s->size.bytes < 0 || s->size.messages < 0;
	return s->size.lines > 1 || s->mtime + FILE_BELIEVED_SECONDS < clock_wall();
}

bool maildirquota_fits(const struct maildirquota *q, uint64_t bytes, bool *fits, struct err *e)
{
	struct state s;
	bool there;

	if (!read_file(q->dir, &s, &there, e))
		return false;
	if ((!there || doubtful(q, &s, bytes)) && !maildirquota_recount(q, &s.size, e))
		return false;
	*fits = !maildirsize_over(&s.size, bytes, 1);
	return true;
}

bool maildirquota_room(const struct maildirquota *q, uint64_t *bytes, struct err *e)
{
	struct state s;
	uint64_t times;
	bool there, unsure;

	*bytes = UINT64_MAX;
	if (!read_file(q->dir, &s, &there, e))
		return false;
	if (!there)
		return true;
	unsure = doubtful(q, &s, INT64_MAX);
	s.size.quota = q->quota;
	if (unsure && maildirsize_room(&s.size) < ROOM_ENOUGH && !count_all(q->dir, &s.size, &times))
		return err_sys(e, errno, "unable to count the messages of a Maildir");
	*bytes = maildirsize_room(&s.size);
	return true;
}

void maildirquota_count(const struct maildirquota *q, int64_t bytes, int64_t messages)
{
	int fd = file_open(q->dir, FILE_NAME, O_WRONLY | O_APPEND | O_NONBLOCK, 0);
	char line[64];
	int n;

	if (fd == -1)
		return;
	n = snprintf(line, sizeof line, "%lld %lld\n", (long long)bytes, (long long)messages);
	/* In one write: others append, too. */
	if (write(fd, line, (size_t)n) != n)
		file_unlink(q->dir, FILE_NAME);
	file_close(fd);
}

bool maildirquota_read(const struct maildirquota *q, struct maildirsize *s)
{
	struct state state;
	struct err e;
	bool there;

	if (!read_file(q->dir, &state, &there, &e) || !there)
		return false;
	*s = state.size;
	return true;
}
