#include "submit/submit.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "mail/dsn.h"
#include "submit/submit_program.h"
#include "sys/clientenv.h"
#include "sys/clock.h"
#include "sys/home.h"
#include "sys/io.h"
#include "sys/ownjournal.h"
#include "sys/unixsock.h"
#include "wire/queueproto.h"

#define FLUSH_AT 65536
/* A disk that answers no more must not hold the callers for ever. An SMTP client waits for ten minutes. */
#define JOURNAL_MS 300000

/* Exit codes of qmail-queue that begin here. */
enum { STATUS_ADDRESS = 11, STATUS_READ = 54, STATUS_HOME = 61, STATUS_QUEUE = 62, STATUS_CONNECTION = 74 };

static void fail(struct submit *s, int status)
{
	if (s->status == 0)
		s->status = status;
}

static bool send_all(int fd, struct str data)
{
	while (data.n) {
		ssize_t r = send(fd, data.p, data.n, MSG_NOSIGNAL);

		if (r == -1 && errno == EINTR)
			continue;
		if (r <= 0)
			return false;
		data = str_from(data, (size_t)r);
	}
	return true;
}

/* A connection kept from the last message may be to a journal that has been restarted since. */
static bool still_open(int fd)
{
	char c;
	ssize_t r = recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);

	return r == -1 && (errno == EAGAIN || errno == EINTR);
}

static void drop_connection(struct submit *s)
{
	if (s->fd != -1)
		close(s->fd);
	s->fd = -1;
	buf_clear(&s->out);
}

/*
 * The journal is told by the kernel who connects. Where a set-id program (a scanner) has called us, that is the
 * effective user, but the mail is the real user's.
 */
static bool connect_as_caller(int *fd, struct err *e)
{
	uid_t effective = geteuid();
	bool ok;

	if (effective == getuid())
		return unixsock_connect_within(home_dir(), "run/journal", UNIXSOCK_STREAM, JOURNAL_MS, fd, e);
	if (seteuid(getuid()) == -1)
		return err_sys(e, errno, "unable to act as the calling user");
	ok = unixsock_connect_within(home_dir(), "run/journal", UNIXSOCK_STREAM, JOURNAL_MS, fd, e);
	if (seteuid(effective) == 0)
		return ok;
	if (ok)
		close(*fd);
	*fd = -1;
	return err_sys(e, errno, "unable to go back to the effective user");
}

static bool connect_journal(struct submit *s, struct err *e)
{
	if (s->fd != -1 && still_open(s->fd))
		return true;
	drop_connection(s);
	return connect_as_caller(&s->fd, e) || own_journal(UNIXSOCK_STREAM, &s->fd, e);
}

bool submit_begin(struct submit *s, bool use_environment, struct err *e)
{
	s->status = 0;
	s->sender_given = s->watched = false;
	s->nrecipients = 0;
	s->messageid = (struct messageid){ 0 };
	s->out.limit = s->envelope.limit = SIZE_MAX;
	buf_clear(&s->out);
	buf_clear(&s->envelope);
	if (!home_open(e))
		return false;
	if (use_environment && submit_program_wanted()) {
		if (!submit_program_start(s, e))
			return false;
	} else if (!connect_journal(s, e)) {
		return err_context(e, "the mail system does not run in %s", home_path());
	}
	s->active = true;
	return true;
}

static void flush(struct submit *s)
{
	if (s->status == 0 && !send_all(s->fd, buf_str(&s->out)))
		fail(s, STATUS_CONNECTION);
	buf_clear(&s->out);
}

void submit_data(struct submit *s, struct str data)
{
	if (s->status != 0 || data.n == 0)
		return;
	if (s->pid != 0) {
		if (io_write_all(s->message_fd, data.p, data.n) == -1)
			fail(s, 53);
		return;
	}
	messageid_feed(&s->messageid, data);
	while (data.n) {
		struct str part = str_head(data, FRAME_MAX);

		frame_put(&s->out, FRAME_DATA, part);
		data = str_from(data, part.n);
		if (s->out.n >= FLUSH_AT)
			flush(s);
	}
}

static void envelope_item(struct submit *s, char letter, enum queue_frame frame, struct str address)
{
	if (!queue_address_acceptable(address)) {
		fail(s, STATUS_ADDRESS);
		return;
	}
	if (s->pid != 0) {
		buf_addc(&s->envelope, letter);
		buf_add(&s->envelope, address);
		buf_addc(&s->envelope, 0);
		return;
	}
	frame_put(&s->out, frame, address);
	if (s->out.n >= FLUSH_AT)
		flush(s);
}

void submit_sender(struct submit *s, struct str address)
{
	s->sender_given = true;
	envelope_item(s, 'F', FRAME_SENDER, address);
}

void submit_recipient(struct submit *s, struct str address)
{
	s->nrecipients++;
	envelope_item(s, 'T', FRAME_RECIPIENT, address);
}

static void attribute(struct submit *s, enum queue_frame frame, int which, struct str value)
{
	/* The classic interface has no room for attributes. */
	if (s->pid != 0 || s->status != 0 || value.n > FRAME_MAX - 1)
		return;
	frame_begin(&s->out, frame, value.n + 1);
	wire_put_u8(&s->out, (uint8_t)which);
	buf_add(&s->out, value);
}

void submit_attribute(struct submit *s, enum message_attribute which, struct str value)
{
	attribute(s, FRAME_ATTRIBUTE, which, value);
}

void submit_past(struct submit *s, int64_t birth, int64_t due, uint32_t uid, uint32_t pid)
{
	frame_begin(&s->out, FRAME_PAST, 24);
	wire_put_u64(&s->out, (uint64_t)birth);
	wire_put_u64(&s->out, (uint64_t)due);
	wire_put_u32(&s->out, uid);
	wire_put_u32(&s->out, pid);
}

void submit_done(struct submit *s, bool failed, struct str text)
{
	struct buf payload = BUF_INIT(FRAME_MAX);

	wire_put_u8(&payload, failed);
	wire_put_str(&payload, str_head(text, SUBMIT_REASON_MAX));
	frame_put(&s->out, FRAME_DONE, buf_str(&payload));
	buf_free(&payload);
}

static void wish(struct submit *s, enum queue_frame frame, int which, struct str value)
{
	if (value.n)
		attribute(s, frame, which, value);
}

void submit_dsn(struct submit *s, uint8_t ret, struct str envid)
{
	struct buf value = BUF_INIT(16);

	dsn_add_ret(&value, ret);
	wish(s, FRAME_ATTRIBUTE, ATTR_DSN_RET, buf_str(&value));
	wish(s, FRAME_ATTRIBUTE, ATTR_DSN_ENVID, envid);
	buf_free(&value);
}

void submit_recipient_dsn(struct submit *s, uint8_t notify, struct str orcpt)
{
	struct buf value = BUF_INIT(64);

	dsn_add_notify(&value, notify);
	wish(s, FRAME_RECIPIENT_ATTRIBUTE, RCPT_ATTR_NOTIFY, buf_str(&value));
	wish(s, FRAME_RECIPIENT_ATTRIBUTE, RCPT_ATTR_ORCPT, orcpt);
	buf_free(&value);
}

bool submit_is_new(void)
{
	return getenv("DTLINE") == NULL && (clientenv("REMOTEIP") == NULL || getenv("RELAYCLIENT"));
}

static void set_result(struct submit_result *r, int status)
{
	const char *text = submit_status_text(status);

	r->status = status;
	r->letter = text[0];
	snprintf(r->text, sizeof r->text, "%s", text + 1);
}

/* Waits for the journal's REPLY; its status, or a failure of our own. */
static int await_reply(struct submit *s, uint64_t *id)
{
	struct buf in = BUF_INIT(64);
	int status = STATUS_CONNECTION;

	for (;;) {
		struct str rest = buf_str(&in), payload;
		uint8_t type;
		int got = frame_take(&rest, &type, &payload);
		ssize_t r;

		if (got == 1 && type == FRAME_REPLY) {
			struct wire_reader reader = wire_reader(payload);
			uint8_t code = wire_get_u8(&reader);

			*id = wire_get_u64(&reader);
			status = wire_end(&reader) ? code : STATUS_CONNECTION;
			break;
		}
		if (got != 0 || buf_room(&in, 32) == NULL)
			break;
		r = io_read(s->fd, in.p + in.n, 32);
		if (r <= 0)
			break;
		buf_wrote(&in, (size_t)r);
	}
	buf_free(&in);
	return status;
}

bool submit_commit(struct submit *s, struct submit_result *r)
{
	int status = s->status;

	*r = (struct submit_result){ .qp = getpid() };
	s->active = false;
	if (s->pid != 0) {
		status = submit_program_finish(s, status, r);
		if (r->letter == 0)
			set_result(r, status);
		return status == 0;
	}
	if (status == 0) {
		if (messageid_value(&s->messageid).n)
			submit_attribute(s, ATTR_MESSAGE_ID, messageid_value(&s->messageid));
		frame_put(&s->out, FRAME_COMMIT, STR(""));
		flush(s);
		status = s->status ? s->status : await_reply(s, &r->message);
	}
	/* After a failure the journal may hold half a message of ours: only a new connection is clean. */
	if (status != 0)
		drop_connection(s);
	set_result(r, status);
	return status == 0;
}

void submit_watch(struct submit *s)
{
	if (s->pid != 0)
		return;
	s->watched = true;
	frame_put(&s->out, FRAME_WATCH, STR(""));
}

struct event {
	char letter;
	uint32_t recipient;
	struct str address, text;
};

static bool get_event(struct str payload, struct event *e)
{
	struct wire_reader r = wire_reader(payload);

	e->letter = (char)wire_get_u8(&r);
	e->recipient = wire_get_u32(&r);
	e->address = wire_get_str(&r, QUEUE_ADDRESS_MAX);
	e->text = wire_get_str(&r, FRAME_MAX);
	return wire_end(&r);
}

/* Takes the events that have come; false at the last one. */
static bool take_events(struct submit *s, struct buf *in, bool *tried, uint32_t *left,
			void (*each)(char letter, struct str address, struct str text))
{
	struct str rest = buf_str(in), payload;
	struct event event;
	uint8_t type;
	int got;

	while ((got = frame_take(&rest, &type, &payload)) == 1) {
		if (type != FRAME_EVENT || !get_event(payload, &event))
			return false;
		each(event.letter, event.address, event.text);
		if (event.letter == 'E')
			return false;
		if (event.recipient < s->nrecipients && !tried[event.recipient]) {
			tried[event.recipient] = true;
			--*left;
		}
	}
	buf_consume(in, in->n - rest.n);
	/* Whoever has failed is followed by the end, and that by the bounce. */
	return got == 0 && *left;
}

void submit_events(struct submit *s, void (*each)(char letter, struct str address, struct str text), unsigned seconds)
{
	bool *tried = mem_zero(s->nrecipients + 1, sizeof *tried);
	int64_t until = clock_monotonic_ms() + (int64_t)seconds * 1000, now;
	struct buf in = BUF_INIT(4 * FRAME_MAX);
	uint32_t left = s->nrecipients;
	bool more = s->watched && s->fd != -1;

	while (more && (now = clock_monotonic_ms()) < until) {
		struct pollfd pfd = { .fd = s->fd, .events = POLLIN };
		ssize_t n = 0;

		if (poll(&pfd, 1, (int)(until - now)) == 1)
			n = buf_room(&in, FRAME_MAX) ? io_read(s->fd, in.p + in.n, FRAME_MAX) : -1;
		if (n <= 0)
			break;
		buf_wrote(&in, (size_t)n);
		more = take_events(s, &in, tried, &left, each);
	}
	free(tried);
	buf_free(&in);
	drop_connection(s);
}

void submit_cancel(struct submit *s)
{
	struct submit_result ignored;

	if (!s->active)
		return;
	s->active = false;
	if (s->pid != 0)
		submit_program_finish(s, STATUS_READ, &ignored);
	else
		drop_connection(s);
}

void submit_close(struct submit *s)
{
	submit_cancel(s);
	drop_connection(s);
	buf_free(&s->out);
	buf_free(&s->envelope);
}

const char *submit_status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} texts[] = {
		{ 0, "K" },
		{ 11, "Denvelope address too long for qq (#5.1.3)" },
		{ 115, "Denvelope address too long for qq (#5.1.3)" },
		{ 31, "Dmail server permanently rejected message (#5.3.0)" },
		{ 51, "Zqq out of memory (#4.3.0)" },
		{ 52, "Zqq timeout (#4.3.0)" },
		{ 53, "Zqq write error or disk full (#4.3.0)" },
		{ 54, "Zqq read error (#4.3.0)" },
		{ 55, "Zqq unable to read configuration (#4.3.0)" },
		{ 56, "Zqq trouble making network connection (#4.3.0)" },
		{ 61, "Zqq trouble in home directory (#4.3.0)" },
		{ 62, "Zqq trouble creating files in queue (#4.3.0)" },
		{ 63, "Zqq trouble creating files in queue (#4.3.0)" },
		{ 64, "Zqq trouble creating files in queue (#4.3.0)" },
		{ 65, "Zqq trouble creating files in queue (#4.3.0)" },
		{ 66, "Zqq trouble creating files in queue (#4.3.0)" },
		{ 71, "Zmail server temporarily rejected message (#4.3.0)" },
		{ 72, "Zconnection to mail server timed out (#4.4.1)" },
		{ 73, "Zconnection to mail server rejected (#4.4.1)" },
		{ 74, "Zcommunication with mail server failed (#4.4.2)" },
		{ 81, "Zqq internal bug (#4.3.0)" },
		{ 91, "Zqq internal bug (#4.3.0)" },
		{ 120, "Zunable to exec qq (#4.3.0)" },
		{ SUBMIT_STATUS_CRASHED, "Zqq crashed (#4.3.0)" },
		{ SUBMIT_STATUS_WAIT, "Zqq waitpid surprise (#4.3.0)" },
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (texts[i].status == status)
			return texts[i].text;
	return status >= 11 && status <= 40 ? "Dqq permanent problem (#5.3.0)" : "Zqq temporary problem (#4.3.0)";
}
