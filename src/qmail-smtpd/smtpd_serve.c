#include "qmail-smtpd/smtpd_serve.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "sys/clock.h"

#define INPUT_SIZE 65536
/* A client must come forward this fast once the patience of its timeout is used up. */
#define BYTES_PER_SECOND 1024

/*
 * Besides the time for each read there is a time for each command line, each
 * message and the whole session, so that a client cannot stay for ever by
 * sending a byte now and then.
 */
struct stopwatch {
	int64_t begun;  /* monotonic ms */
	uint64_t bytes; /* received since then */
};

struct serving {
	const struct smtpd_connection *c;
	struct smtp_session session;
	struct smtp_service *service;
	struct buf replies;
	struct stopwatch step;    /* the current command line, or the current data */
	struct stopwatch message; /* everything since the last accepted message */
	bool step_in_data;
	uint64_t messages; /* accepted when `message` was started */
	bool gone;         /* the connection is of no more use */
	char *input;       /* INPUT_SIZE */
};

static void restart(struct stopwatch *w)
{
	*w = (struct stopwatch){ .begun = clock_monotonic_ms() };
}

static bool expired(const struct stopwatch *w, uint64_t seconds)
{
	int64_t allowed = (int64_t)(seconds + w->bytes / BYTES_PER_SECOND) * 1000;

	return clock_monotonic_ms() - w->begun > allowed;
}

/* False: time is up (errno EAGAIN) or poll failed. */
static bool wait_until_ready(const struct smtpd_connection *c, int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	uint64_t ms = c->policy->timeout * 1000;
	int r;

	if (c->timed)
		return true;
	do
		r = poll(&p, 1, ms > 0x7fffffff ? 0x7fffffff : (int)ms);
	while (r == -1 && errno == EINTR);
	if (r == 0)
		errno = EAGAIN;
	return r > 0;
}

/* All replies, within the time for one write. */
static void flush(struct serving *v)
{
	struct str rest = buf_str(&v->replies);
	struct stopwatch w;

	restart(&w);
	while (rest.n && !v->gone) {
		ssize_t r = -1;

		if (wait_until_ready(v->c, v->c->out, POLLOUT))
			r = write(v->c->out, rest.p, rest.n);
		if (r == -1 && errno == EINTR)
			continue;
		v->gone = r <= 0 || expired(&w, v->c->policy->timeout);
		if (r > 0)
			rest = str_from(rest, (size_t)r);
	}
	buf_clear(&v->replies);
}

static ssize_t read_some(struct serving *v)
{
	ssize_t r;

	do
		r = wait_until_ready(v->c, v->c->in, POLLIN) ? read(v->c->in, v->input, INPUT_SIZE) : -1;
	while (r == -1 && errno == EINTR);
	return r;
}

static void feed(struct serving *v, struct str data)
{
	while (data.n && !v->session.ended && !v->gone) {
		data = str_from(data, smtp_session_feed(&v->session, data, &v->replies));
		if (data.n)
			flush(v);
	}
}

/* Starts the watches of what has just begun, and says whether one has run out. */
static bool too_slow(struct serving *v)
{
	if (v->session.counts.messages != v->messages) {
		v->messages = v->session.counts.messages;
		restart(&v->message);
	}
	if (v->session.in_data != v->step_in_data || (!v->session.in_data && !smtpline_begun(&v->session.line))) {
		v->step_in_data = v->session.in_data;
		restart(&v->step);
	}
	return expired(&v->step, v->c->policy->timeout) || expired(&v->message, v->c->policy->session_timeout);
}

static void run(struct serving *v)
{
	flush(v);
	while (!v->session.ended && !v->gone) {
		ssize_t r = read_some(v);

		if (r > 0) {
			v->step.bytes += v->session.in_data ? (uint64_t)r : 0;
			v->message.bytes += (uint64_t)r;
			feed(v, (struct str){ v->input, (size_t)r });
		}
		if (r == 0 || (r == -1 && errno != EAGAIN))
			v->gone = true;
		else if (!v->session.ended && (r == -1 || too_slow(v)))
			smtp_session_timeout(&v->session, &v->replies);
		flush(v);
	}
}

int smtpd_serve(const struct smtpd_connection *c)
{
	/* Static, because it is large and a process serves one session at a time: untouched pages cost nothing. */
	static char input[INPUT_SIZE];
	/* Stays over sessions, for its connection to the queue. */
	static struct smtp_service service = { .submit = SUBMIT_INIT };
	struct serving v = { .c = c, .service = &service, .replies = BUF_INIT(1u << 20), .input = input };

	service.mailboxes = MAILBOX_CHECK_INIT;
	service.policy = c->policy;
	service.log = c->log;
	restart(&v.step);
	restart(&v.message);
	smtp_session_start(&v.session, &c->policy->settings, c->client, smtp_service_ops(), &service, &v.replies);
	run(&v);
	smtp_service_log_end(&service, &v.session);
	smtp_session_close(&v.session);
	mailbox_check_close(&service.mailboxes);
	buf_free(&v.replies);
	return v.session.quit ? 0 : 1;
}
