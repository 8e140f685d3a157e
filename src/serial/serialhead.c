#include "serial/serialhead.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "sys/file.h"

/* As it was before it was written into a header field. */
static void unquote(struct str s, struct buf *out)
{
	bool quoted = false;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"') {
			quoted = !quoted;
			continue;
		}
		if (s.p[i] == '\\' && quoted && i + 1 < s.n)
			i++;
		buf_addc(out, s.p[i]);
	}
}

static bool take_line(struct str *rest, struct str *line, struct str start)
{
	/* A last line without LF may be cut off. */
	if (str_chr(*rest, '\n') == rest->n || !str_next_line(rest, line) || !str_starts(*line, start))
		return false;
	*line = str_from(*line, start.n);
	return str_chr(*line, 0) == line->n;
}

bool serialhead_parse(struct str beginning, struct str prefix, struct serialhead *head)
{
	struct str rest = beginning, sender, recipient;

	if (!take_line(&rest, &sender, STR("Return-Path: <")) || sender.n == 0 || sender.p[sender.n - 1] != '>')
		return false;
	if (!take_line(&rest, &recipient, STR("Delivered-To: ")) || !str_starts(recipient, prefix))
		return false;
	buf_clear(&head->sender);
	buf_clear(&head->recipient);
	unquote(str_head(sender, sender.n - 1), &head->sender);
	buf_add(&head->recipient, str_from(recipient, prefix.n));
	head->length = beginning.n - rest.n;
	return true;
}

int serialhead_open(const char *path, struct str prefix, struct serialhead *head, struct err *e)
{
	char beginning[SERIALHEAD_MAX];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	ssize_t n = fd == -1 ? -1 : file_read_at(fd, beginning, sizeof beginning, 0);

	e->kind = ERR_NONE;
	if (n == -1)
		err_sys(e, errno, "unable to read %s", path);
	else if (serialhead_parse((struct str){ beginning, (size_t)n }, prefix, head) &&
		 lseek(fd, (off_t)head->length, SEEK_SET) != -1)
		return fd;
	if (fd != -1)
		close(fd);
	return -1;
}

void serialhead_free(struct serialhead *head)
{
	buf_free(&head->sender);
	buf_free(&head->recipient);
}
