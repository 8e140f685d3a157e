/*
 * splogger: lines from descriptor 0 to syslog (contract §17.1).
 *
 * usage: splogger [ tag [ facility ] ]
 *
 * It speaks to /dev/log itself, without blocking: where no syslog runs, or it
 * is overwhelmed, lines are dropped rather than the mail system held up.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "sys/clock.h"
#include "sys/io.h"

#define LINE_BYTES 800  /* with these, a line is continued in another entry */
#define PATIENCE_MS 100 /* how long a full syslog may hold us up */

struct log {
	struct str tag;
	int facility;
	int fd;           /* -1: no syslog */
	int64_t retry_at; /* monotonic; when to look for one again */
	bool full;        /* it took no entry in time: until it takes one again, there is no waiting */
};

static bool connect_as(struct log *log, int type)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	struct timeval patience = { .tv_usec = PATIENCE_MS * 1000 };

	log->fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (log->fd == -1)
		return false;
	setsockopt(log->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (connect(log->fd, (const struct sockaddr *)&sun, sizeof sun) == 0)
		return true;
	close(log->fd);
	log->fd = -1;
	return false;
}

/* Looks for a syslog, at most once a second. */
static bool reach(struct log *log)
{
	if (log->fd != -1)
		return true;
	if (clock_monotonic_ms() < log->retry_at)
		return false;
	log->retry_at = clock_monotonic_ms() + 1000;
	return connect_as(log, SOCK_DGRAM);
}

static int priority_of(struct str line)
{
	if (str_starts(line, STR("alert:")))
		return LOG_ALERT;
	if (str_starts(line, STR("warning:")))
		return LOG_WARNING;
	return LOG_INFO;
}

static void send_entry(struct log *log, struct str entry)
{
	for (int attempt = 0; attempt < 2 && reach(log); attempt++) {
		int flags = MSG_NOSIGNAL | (log->full ? MSG_DONTWAIT : 0);
		bool sent = send(log->fd, entry.p, entry.n, flags) != -1;

		log->full = !sent && errno == EAGAIN;
		if (sent || log->full || errno == EINTR)
			return;
		/* Syslog was restarted: the next attempt finds the new one. */
		close(log->fd);
		log->fd = -1;
		if (attempt == 0)
			log->retry_at = 0;
	}
}

/* A line, or a part of one; "+" stands for the space when it continues one. */
static void put(struct log *log, int64_t now, int priority, bool continued, struct str text)
{
	struct buf b = BUF_INIT(4096);
	time_t seconds = (time_t)(now / 1000000);
	char date[40];
	struct tm tm;

	/* Syslog wants its own, local date in front, as syslog(3) sends it. */
	strftime(date, sizeof date, "%h %e %T", localtime_r(&seconds, &tm));
	buf_addf(&b, "<%d>%s %.*s: %lld.%06lld%c", log->facility * 8 + priority, date, STR_ARG(log->tag),
		 (long long)(now / 1000000), (long long)(now % 1000000), continued ? '+' : ' ');
	for (size_t i = 0; i < text.n; i++)
		buf_addc(&b, text.p[i] >= 32 && text.p[i] <= 126 ? text.p[i] : '?');
	send_entry(log, buf_str(&b));
	buf_free(&b);
}

/* The line being read: at most LINE_BYTES are held. */
struct line {
	char bytes[LINE_BYTES];
	size_t n;
	int64_t time;
	int priority;
	bool continued;
};

static void add_byte(struct log *log, struct line *line, char c)
{
	struct str text = { line->bytes, line->n };
	bool full = line->n == LINE_BYTES - 1 && c != '\n';

	if (c == '\n' || full) {
		if (!line->continued) {
			line->time = clock_wall_us();
			line->priority = priority_of(text);
		}
		if (text.n)
			put(log, line->time, line->priority, line->continued, text);
		line->n = 0;
		line->continued = full;
	}
	if (c != '\n')
		line->bytes[line->n++] = c;
}

int main(int argc, char **argv)
{
	struct log log = { .tag = STR("splogger"), .facility = LOG_MAIL >> 3, .fd = -1 };
	struct line line = { 0 };
	uint64_t facility;
	char data[4096];
	ssize_t r;

	if (argc > 1)
		log.tag = str_head(str_of(argv[1]), 200);
	if (argc > 2 && str_to_u64(str_of(argv[2]), &facility) && facility < 128)
		log.facility = (int)facility;
	while ((r = io_read(0, data, sizeof data)) > 0)
		for (ssize_t i = 0; i < r; i++)
			add_byte(&log, &line, data[i]);
	if (line.n)
		add_byte(&log, &line, '\n');
	return 0;
}
