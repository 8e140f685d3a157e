#include "resolver/trustanchor.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "sys/io.h"

#define OWN "control/dnsanchor"
#define TEXT_MAX (1u << 20)

/* Where Debian and others keep the root's key. */
static const char *const system_keys[] = { "/usr/share/dns/root.key", "/usr/share/dns/root.ds" };

struct str trustanchor_owner(struct str text)
{
	struct str line;

	while (str_next_line(&text, &line)) {
		size_t n = 0;

		while (n < line.n && line.p[n] > ' ' && line.p[n] != ';')
			n++;
		/* Directives ($TTL) are no records; a line that begins with a blank continues one. */
		if (n > 0 && line.p[0] != '$')
			return str_head(line, n);
	}
	return STR("");
}

/* False with errno. */
static bool read_file(const char *path, struct buf *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), saved;
	bool ok;

	if (fd == -1)
		return false;
	ok = io_read_rest(fd, text);
	saved = errno;
	close(fd);
	errno = saved;
	return ok;
}

static bool take(struct trustanchor *a, const char *path, struct str text)
{
	struct str owner = trustanchor_owner(text);

	if (owner.n == 0 || owner.n >= sizeof a->owner)
		return false;
	memcpy(a->owner, owner.p, owner.n);
	a->owner[owner.n] = 0;
	a->path = path;
	return true;
}

static bool find_own(struct trustanchor *a, struct buf *text, bool *present, struct err *e)
{
	*present = read_file(OWN, text);
	if (!*present && errno != ENOENT)
		return err_sys(e, errno, "unable to read %s", OWN);
	if (!*present || str_trim_end(buf_str(text)).n == 0)
		return true;
	return take(a, OWN, buf_str(text)) || err_perm(e, "there is no DS or DNSKEY record in %s", OWN);
}

bool trustanchor_find(struct trustanchor *a, struct err *e)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	bool present, ok;

	*a = (struct trustanchor){ 0 };
	ok = find_own(a, &text, &present, e);
	for (size_t i = 0; !present && a->path == NULL && i < sizeof system_keys / sizeof *system_keys; i++) {
		buf_clear(&text);
		if (read_file(system_keys[i], &text))
			take(a, system_keys[i], buf_str(&text));
	}
	buf_free(&text);
	return ok;
}
