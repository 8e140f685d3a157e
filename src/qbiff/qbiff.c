/*
 * qbiff: tells the user on every terminal that allows it (biff y) that mail
 * has come (contract §18). Exit 0 always: the message matters more.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utmpx.h>

#include "mailbox/glance.h"
#include "sys/io.h"

#define START_MAX 16384 /* bytes of the message that are looked at */
#define LINE_LIMIT 512

static void read_start(struct buf *start)
{
	while (start->n < START_MAX) {
		char *room = buf_room(start, START_MAX - start->n);
		ssize_t r = io_read(0, room, START_MAX - start->n);

		if (r <= 0)
			return;
		buf_wrote(start, (size_t)r);
	}
}

static void compose(struct buf *text, struct str start)
{
	buf_addz(text, "\r\n\a*** TO <");
	glance_add(text, str_head(str_of(getenv("LOCAL")), LINE_LIMIT));
	buf_addz(text, "> FROM <");
	glance_add(text, str_head(str_of(getenv("SENDER")), LINE_LIMIT));
	buf_addz(text, ">\r\n");
	glance_text(text, start);
	buf_addz(text, "\r\n");
}

/* The terminal must want it, and must not make us wait. */
static void notify(const char *line, struct str text)
{
	int dev = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;
	struct stat st;

	fd = dev == -1 ? -1 : openat(dev, line, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	if (fd != -1 && fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && (st.st_mode & S_IXUSR)) {
		ssize_t ignored = write(fd, text.p, text.n);

		(void)ignored;
	}
	if (fd != -1)
		close(fd);
	if (dev != -1)
		close(dev);
}

int main(void)
{
	const char *user = getenv("USER");
	struct buf start = BUF_INIT(START_MAX), text = BUF_INIT(START_MAX);
	struct utmpx *entry;

	if (user == NULL || *user == 0)
		return 0;
	read_start(&start);
	compose(&text, buf_str(&start));
	/* A terminal that went away is no reason to fail. */
	signal(SIGPIPE, SIG_IGN);
	setutxent();
	while ((entry = getutxent()) != NULL) {
		char line[sizeof entry->ut_line + 1] = { 0 };

		memcpy(line, entry->ut_line, sizeof entry->ut_line);
		if (entry->ut_type == USER_PROCESS && strncmp(entry->ut_user, user, sizeof entry->ut_user) == 0 &&
		    strstr(line, "..") == NULL)
			notify(line, buf_str(&text));
	}
	endutxent();
	buf_free(&start);
	buf_free(&text);
	return 0;
}
