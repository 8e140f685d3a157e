#include "local/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/file.h"
#include "sys/random.h"

#define PATH_LIMIT 8192
#define HOST_MAX 64
#define NAME_TRIES 3

static bool trouble(struct err *e)
{
	return err_temp(e, "Temporary error on maildir delivery. (#4.3.0)");
}

static bool unreadable(struct err *e)
{
	return err_temp(e, "Unable to read message. (#4.3.0)");
}

static void add_host(struct buf *name)
{
	char host[HOST_MAX + 1] = "";

	gethostname(host, HOST_MAX);
	host[HOST_MAX] = 0;
	for (const char *p = host; *p; p++) {
		if (*p == '/')
			buf_addz(name, "\\057");
		else if (*p == ':')
			buf_addz(name, "\\072");
		else
			buf_addc(name, *p);
	}
}

void maildir_name(struct buf *name)
{
	static unsigned counter;
	int64_t now = clock_wall_us();
	uint64_t bits;

	random_bytes(&bits, sizeof bits);
	buf_addf(name, "%lld.M%06uP%ldQ%uR%016llx.", (long long)(now / 1000000), (unsigned)(now % 1000000),
		 (long)getpid(), ++counter, (unsigned long long)bits);
	add_host(name);
}

/* What was written, and how many of its LFs have no CR before them. */
struct size {
	uint64_t bytes, bare;
	char last;
};

static void measure(struct size *size, struct str piece)
{
	const char *end = piece.p + piece.n;

	for (const char *p = piece.p; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
		size->bare += (p > piece.p ? p[-1] : size->last) != '\r';
	size->bytes += piece.n;
	size->last = end[-1];
}

/* Readers need not look at the file then: its size as it is, and with CR LF. */
static void add_size(struct buf *name, const struct size *size)
{
	unsigned long long bytes = size->bytes, wire = bytes + size->bare;

	buf_addf(name, ",S=%llu,W=%llu", bytes, wire);
}

static bool copy_message(int fd, struct str header, struct message *m, struct size *size, struct err *e)
{
	uint64_t offset;
	struct str piece;

	if (!message_first(m, header, &piece, &offset, e))
		return unreadable(e);
	while (piece.n) {
		measure(size, piece);
		if (file_append(fd, piece.p, piece.n) == -1)
			return trouble(e);
		if (!message_block(m, offset, &piece, e))
			return unreadable(e);
		offset += piece.n;
	}
	return file_sync(fd) == 0 || trouble(e);
}

/* Some file systems sync names with the file and refuse fsync of a directory. */
static int sync_names(int dirfd)
{
	int r = file_sync_dir(dirfd);

	return r == -1 && (errno == EINVAL || errno == ENOTSUP) ? 0 : r;
}

/* Makes the new name durable; one that may not be is taken back. */
static bool settle(int newdir, const char *name, struct err *e)
{
	if (sync_names(newdir) == 0)
		return true;
	file_unlink(newdir, name);
	return trouble(e);
}

enum outcome { DELIVERED, FAILED, IMPOSSIBLE };

/* The way without a name in tmp/. IMPOSSIBLE: nothing was done, the file system cannot do it. */
static enum outcome deliver_unnamed(int newdir, const char *tmp, struct str header, struct message *m, struct err *e)
{
	int fd = file_open(AT_FDCWD, tmp, O_TMPFILE | O_WRONLY, 0600), r = -1;
	struct buf name = BUF_INIT(PATH_LIMIT);
	enum outcome result = FAILED;
	struct size size = { 0 };

	if (fd == -1)
		return IMPOSSIBLE;
	if (copy_message(fd, header, m, &size, e)) {
		for (int i = 0; i < NAME_TRIES && (i == 0 || (r == -1 && errno == EEXIST)); i++) {
			buf_clear(&name);
			maildir_name(&name);
			add_size(&name, &size);
			r = file_link_unnamed(fd, newdir, buf_cstr(&name));
		}
		result = r == -1 ? IMPOSSIBLE : settle(newdir, buf_cstr(&name), e) ? DELIVERED : FAILED;
	}
	file_close(fd);
	buf_free(&name);
	return result;
}

/* Writes tmp/<name>; path is the whole of it. */
static bool write_named(const char *path, struct str header, struct message *m, struct size *size, struct err *e)
{
	int fd = file_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	bool ok;

	if (fd == -1)
		return trouble(e);
	ok = copy_message(fd, header, m, size, e);
	/* Network file systems report a full disk here. */
	if (file_close(fd) == -1 && ok)
		ok = trouble(e);
	if (!ok)
		file_unlink(AT_FDCWD, path);
	return ok;
}

/* link(2) never replaces another file; rename is for file systems without hard links. */
static bool move_to_new(const char *path, int newdir, const char *name, struct err *e)
{
	bool ok = true;

	if (file_link(AT_FDCWD, path, newdir, name) == 0)
		file_unlink(AT_FDCWD, path);
	else if ((errno != EPERM && errno != ENOTSUP && errno != ENOSYS) ||
		 file_rename(AT_FDCWD, path, newdir, name) == -1)
		ok = false;
	if (ok)
		return settle(newdir, name, e);
	file_unlink(AT_FDCWD, path);
	return trouble(e);
}

static bool deliver_named(int newdir, const char *tmp, struct str header, struct message *m, struct err *e)
{
	struct buf path = BUF_INIT(PATH_LIMIT), name = BUF_INIT(PATH_LIMIT);
	struct size size = { 0 };
	bool ok;

	maildir_name(&name);
	buf_addf(&path, "%s/%s", tmp, buf_cstr(&name));
	ok = write_named(buf_cstr(&path), header, m, &size, e);
	add_size(&name, &size);
	ok = ok && move_to_new(buf_cstr(&path), newdir, buf_cstr(&name), e);
	buf_free(&path);
	buf_free(&name);
	return ok;
}

static bool deliver(int newdir, const char *tmp, struct str header, struct message *m, struct err *e)
{
	enum outcome result = deliver_unnamed(newdir, tmp, header, m, e);

	if (result == IMPOSSIBLE)
		return deliver_named(newdir, tmp, header, m, e);
	return result == DELIVERED;
}

/* Why can new/ not be opened: is there no such Maildir at all? */
static bool explain(const char *dir, struct err *e)
{
	int fd = file_open_dir(AT_FDCWD, dir);

	if (fd == -1)
		return err_temp(e, "Unable to chdir to maildir. (#4.2.1)");
	file_close(fd);
	return trouble(e);
}

bool maildir_deliver(const char *dir, struct str header, struct message *m, struct err *e)
{
	struct buf path = BUF_INIT(PATH_LIMIT);
	size_t n = strlen(dir);
	int newdir;
	bool ok;

	buf_addz(&path, dir);
	buf_addz(&path, "new");
	newdir = buf_ok(&path) ? file_open_dir(AT_FDCWD, buf_cstr(&path)) : -1;
	if (newdir == -1) {
		buf_free(&path);
		return explain(dir, e);
	}
	buf_truncate(&path, n);
	buf_addz(&path, "tmp");
	ok = deliver(newdir, buf_cstr(&path), header, m, e);
	file_close(newdir);
	buf_free(&path);
	return ok;
}
