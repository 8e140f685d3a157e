#include "pop3/popwire.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "sys/clock.h"

#define MUCH 65536
#define REPLIES_MAX (64u << 20) /* a list of ids of a million messages waits as a whole */

void popwire_start(struct popwire *w, int in, int out)
{
	w->in = in;
	w->out = out;
	w->line.n = 0;
	w->line.too_long = false;
	w->replies = BUF_INIT(REPLIES_MAX);
	w->rest = STR("");
	w->gone = false;
}

/* Also within one write: a client that takes a byte now and then is not served for ever. */
static bool wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left = deadline - clock_monotonic_ms();
	int r;

	if (left <= 0)
		return false;
	do
		r = poll(&p, 1, (int)left);
	while (r == -1 && errno == EINTR);
	return r > 0;
}

static int64_t deadline(void)
{
	return clock_monotonic_ms() + POPWIRE_SECONDS * 1000;
}

bool popwire_flush(struct popwire *w)
{
	struct str rest = buf_str(&w->replies);
	int64_t until = deadline();

	while (rest.n && !w->gone) {
		ssize_t r =
		    wait_for(w->out, POLLOUT, until) ? write(w->out, rest.p, rest.n < MUCH ? rest.n : MUCH) : -1;

		if (r > 0)
			rest = str_from(rest, (size_t)r);
		else if (r == 0 || (errno != EINTR && errno != EAGAIN) || clock_monotonic_ms() >= until)
			w->gone = true;
	}
	w->gone |= !buf_ok(&w->replies);
	buf_clear(&w->replies);
	return !w->gone;
}

bool popwire_relieve(struct popwire *w)
{
	return w->replies.n < MUCH ? !w->gone : popwire_flush(w);
}

static bool read_some(struct popwire *w, size_t most)
{
	ssize_t r;

	do
		r = wait_for(w->in, POLLIN, deadline()) ? read(w->in, w->input, most) : 0;
	while (r == -1 && (errno == EINTR || errno == EAGAIN));
	w->gone = r <= 0;
	w->rest = (struct str){ w->input, r > 0 ? (size_t)r : 0 };
	return r > 0;
}

bool popwire_line(struct popwire *w, bool careful, struct str *line)
{
	while (!w->gone) {
		if (popline_next(&w->line, &w->rest, line))
			return true;
		if (!popwire_flush(w) || !read_some(w, careful ? 1 : sizeof w->input))
			break;
	}
	return false;
}

void popwire_end(struct popwire *w)
{
	popwire_flush(w);
	buf_free(&w->replies);
}
