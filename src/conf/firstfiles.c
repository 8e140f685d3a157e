#include "conf/firstfiles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "sys/home.h"
#include "sys/io.h"

#define FILE_MAX (64u << 20)

struct str firstfiles_domain(struct str fqdn)
{
	struct str host, domain;

	return str_cut(fqdn, '.', &host, &domain) && str_chr(domain, '.') < domain.n ? domain : fqdn;
}

struct str firstfiles_plus(struct str fqdn)
{
	size_t last = str_rchr(fqdn, '.'), before;

	if (last == fqdn.n)
		return fqdn;
	before = str_rchr(str_head(fqdn, last), '.');
	return before == last ? fqdn : str_from(fqdn, before + 1);
}

/* Whatever the umask, control files can be read by everybody: programs of several users do. */
static bool write_file(const char *path, int flags, struct str text, struct err *e)
{
	int fd = openat(home_dir(), path, flags | O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	bool ok;

	if (fd == -1)
		return err_sys(e, errno, "unable to write %s", path);
	ok = fchmod(fd, 0644) == 0 && io_write_all(fd, text.p, text.n) == 0 && fsync(fd) == 0;
	if (!ok)
		err_sys(e, errno, "unable to write %s", path);
	close(fd);
	return ok;
}

static bool write_line(const char *path, int flags, struct str line, struct err *e)
{
	struct buf text = BUF_INIT(line.n + 1);
	bool ok;

	printf("%s %.*s %s %s...\n", flags & O_APPEND ? "Adding" : "Putting", STR_ARG(line),
	       flags & O_APPEND ? "to" : "into", path);
	buf_add(&text, line);
	buf_addc(&text, '\n');
	ok = write_file(path, flags, buf_str(&text), e);
	buf_free(&text);
	return ok;
}

bool firstfiles_names(struct str fqdn, struct err *e)
{
	return write_line("control/me", O_TRUNC, fqdn, e) &&
	       write_line("control/defaultdomain", O_TRUNC, firstfiles_domain(fqdn), e) &&
	       write_line("control/plusdomain", O_TRUNC, firstfiles_plus(fqdn), e);
}

static bool has_line(const char *path, struct str wanted, bool *found, struct err *e)
{
	int fd = openat(home_dir(), path, O_RDONLY | O_CLOEXEC);
	struct buf text = BUF_INIT(FILE_MAX);
	struct str rest, line;
	bool ok;

	*found = false;
	if (fd == -1)
		return errno == ENOENT || err_sys(e, errno, "unable to read %s", path);
	ok = io_read_rest(fd, &text) || err_sys(e, errno, "unable to read %s", path);
	close(fd);
	rest = buf_str(&text);
	while (!*found && str_next_line(&rest, &line))
		*found = str_ieq(str_trim_end(line), wanted);
	/* What is appended must not continue a line. */
	if (ok && !*found && text.n && text.p[text.n - 1] != '\n')
		ok = write_file(path, O_APPEND, STR("\n"), e);
	buf_free(&text);
	return ok;
}

static bool add_line(const char *path, struct str line, struct err *e)
{
	bool there;

	return has_line(path, line, &there, e) && (there || write_line(path, O_APPEND, line, e));
}

bool firstfiles_host(struct str host, struct err *e)
{
	return add_line("control/locals", host, e) && add_line("control/rcpthosts", host, e);
}
