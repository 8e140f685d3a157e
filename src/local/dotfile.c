#include "local/dotfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/io.h"

#define NAME_LIMIT 8192
#define OTHERS_MAY_WRITE 002

/* ext as it stands in file names: lower case, and no dots, so that no name leads upwards. */
static void add_safe(struct buf *name, struct str ext)
{
	size_t from = name->n;

	buf_add_lower(name, ext);
	if (!buf_ok(name))
		return;
	for (; from < name->n; from++)
		if (name->p[from] == '.')
			name->p[from] = ':';
}

static void make_name(struct buf *name, struct str dash, struct str ext, struct str suffix)
{
	buf_clear(name);
	buf_addz(name, ".qmail");
	buf_add(name, dash);
	add_safe(name, ext);
	buf_add(name, suffix);
}

/* A slash may come from the administrator (dash "-/"), never from an address. */
static bool usable(const struct buf *name, struct str ext)
{
	return buf_ok(name) && str_chr(ext, '/') == ext.n && str_chr(ext, 0) == ext.n;
}

static bool unable(struct err *e, const char *what, const char *name, int errnum)
{
	return err_temp(e, "Unable to %s %.200s: %s. (#4.3.0)", what, name, errno_text(errnum));
}

/* Errors that say "not there" for good; everything else must not be taken for it. */
static bool means_absent(int errnum)
{
	return !errno_temporary(errnum) && errnum != EPERM && errnum != EACCES;
}

static bool read_open_file(struct dotfile *f, int fd, const struct stat *st, const char *name, struct err *e)
{
	if (st->st_mode & OTHERS_MAY_WRITE)
		return err_temp(e, "Uh-oh: .qmail file is writable. (#4.7.0)");
	f->executable = st->st_mode & S_IXUSR;
	f->found = true;
	if (st->st_size > DOTFILE_MAX || !io_read_rest(fd, &f->content))
		return unable(e, "read", name, st->st_size > DOTFILE_MAX ? EFBIG : errno);
	return true;
}

/* Reads the file if it is there and a regular file. */
static bool try(struct dotfile *f, struct buf *name, struct str ext, struct err *e)
{
	const char *path = buf_cstr(name);
	struct stat st;
	bool ok;
	int fd;

	if (!usable(name, ext))
		return true;
	/* Without O_NONBLOCK a FIFO would wait for a writer. */
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd == -1)
		return means_absent(errno) || unable(e, "open", path, errno);
	if (fstat(fd, &st) == -1)
		ok = unable(e, "open", path, errno);
	else
		ok = !S_ISREG(st.st_mode) || read_open_file(f, fd, &st, path, e);
	close(fd);
	return ok;
}

static void set_default(struct dotfile *f, struct str part)
{
	f->default_set = true;
	f->default_part = part;
}

static bool find_default(struct dotfile *f, struct buf *name, struct str dash, struct str ext, struct err *e)
{
	for (size_t i = ext.n + 1; i-- > 0;) {
		if (i > 0 && ext.p[i - 1] != '-')
			continue;
		make_name(name, dash, str_head(ext, i), STR("default"));
		if (!try(f, name, str_head(ext, i), e))
			return false;
		if (f->found) {
			set_default(f, str_from(ext, i));
			return true;
		}
	}
	return true;
}

bool dotfile_find(struct dotfile *f, struct str dash, struct str ext, struct err *e)
{
	struct buf name = BUF_INIT(NAME_LIMIT);
	bool ok;

	make_name(&name, dash, ext, STR(""));
	ok = try(f, &name, ext, e);
	if (ok && f->found && str_iends(ext, STR("default")))
		set_default(f, str_from(ext, ext.n - 7));
	/* ".qmaildefault" is no file for the user's own address. */
	if (ok && !f->found && dash.n + ext.n)
		ok = find_default(f, &name, dash, ext, e);
	buf_free(&name);
	return ok;
}

bool dotfile_exists(struct str dash, struct str ext, struct str suffix, bool *exists, struct err *e)
{
	struct buf name = BUF_INIT(NAME_LIMIT);
	struct stat st;
	bool ok = true;

	make_name(&name, dash, ext, suffix);
	*exists = usable(&name, ext) && stat(buf_cstr(&name), &st) == 0;
	if (!*exists && usable(&name, ext) && errno_temporary(errno))
		ok = unable(e, "open", buf_cstr(&name), errno);
	buf_free(&name);
	return ok;
}

void dotfile_free(struct dotfile *f)
{
	buf_free(&f->content);
	*f = DOTFILE_INIT;
}
