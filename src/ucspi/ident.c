#include "ucspi/ident.h"

#include <poll.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/io.h"
#include "ucspi/dial.h"

#define PORT 113

void ident_parse(struct str reply, struct buf *info)
{
	int colons = 0;

	reply = str_head(reply, str_chr(reply, '\n'));
	for (size_t i = 0; i < reply.n; i++) {
		char c = reply.p[i];

		if (colons == 3 && c != ' ' && c != '\t' && c != '\r' && c != 0)
			buf_addc(info, c);
		colons += colons < 3 && c == ':';
	}
}

/* A whole line, or as much of it as there may be. */
static bool read_reply(int fd, int64_t deadline, struct buf *reply)
{
	while (reply->n < IDENT_REPLY_MAX && str_chr(buf_str(reply), '\n') == reply->n) {
		char *room = buf_room(reply, IDENT_REPLY_MAX - reply->n);
		ssize_t r = dial_wait(fd, POLLIN, deadline) ? io_read(fd, room, IDENT_REPLY_MAX - reply->n) : -1;

		if (r <= 0)
			return false;
		buf_wrote(reply, (size_t)r);
	}
	return true;
}

bool ident_ask(const struct inetaddr *remote, const struct inetaddr *local, unsigned seconds, struct buf *info)
{
	int64_t deadline = clock_monotonic_ms() + 1000 * (int64_t)seconds;
	struct buf question = BUF_INIT(40), reply = BUF_INIT(IDENT_REPLY_MAX);
	struct inetaddr to = *remote, from = *local;
	bool ok;
	int fd;

	to.port = PORT;
	from.port = 0;
	fd = dial(&to, &from, deadline, NULL);
	if (fd == -1)
		return false;
	buf_addf(&question, "%u , %u\r\n", (unsigned)remote->port, (unsigned)local->port);
	ok = io_write_all(fd, question.p, question.n) == 0 && read_reply(fd, deadline, &reply);
	if (ok)
		ident_parse(buf_str(&reply), info);
	close(fd);
	buf_free(&question);
	buf_free(&reply);
	return ok;
}
