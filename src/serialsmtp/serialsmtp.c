/*
 * serialsmtp PREFIX HELOHOST: sends the messages named on descriptor 0 to the
 * SMTP server on descriptors 6 and 7, and reports on each
 * (contract-companions §5.2).
 *
 * Beyond the old serialsmtp: a message without a last line end is refused
 * (SMTP cannot carry it) instead of ending the run, and a CR by itself becomes
 * a space.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "filter/tool.h"
#include "mail/quote.h"
#include "serial/serialhead.h"
#include "serial/serialnames.h"
#include "serial/serialreport.h"
#include "smtpclient/dotstuff.h"
#include "smtpclient/ehlo.h"
#include "smtpclient/smtpreply.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/io.h"
#include "ucspi/dial.h"

#define ME "serialsmtp"
#define READ_MS 81000
#define WRITE_MS 73000
#define CHUNK 16384
#define PARTIAL_LINE "SMTP cannot transfer messages with partial final lines. (#5.6.2)"

struct server {
	const char *ip;
	bool pipelining;
	bool used;     /* for a message before */
	struct buf in; /* read, not yet taken */
	struct smtpreply reply;
};

static _Noreturn void lost(const char *what)
{
	tool_die(ME, EXIT_TEMPORARY, "%s: %s", what, errno_text(errno));
}

static void send_all(struct str data)
{
	while (data.n) {
		ssize_t r = dial_wait(7, POLLOUT, clock_monotonic_ms() + WRITE_MS) ? write(7, data.p, data.n) : -1;

		if (r == -1 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (r <= 0)
			lost("unable to write to network");
		data = str_from(data, (size_t)r);
	}
}

static void read_more(struct server *s)
{
	char *room = buf_room(&s->in, CHUNK);
	ssize_t r;

	do
		r = dial_wait(6, POLLIN, clock_monotonic_ms() + READ_MS) ? read(6, room, CHUNK) : -1;
	while (r == -1 && (errno == EINTR || errno == EAGAIN));
	if (r == 0)
		tool_die(ME, EXIT_TEMPORARY, "connection died");
	if (r < 0)
		lost("unable to read from network");
	buf_wrote(&s->in, (size_t)r);
}

/* The next reply's code. */
static int reply(struct server *s)
{
	for (;;) {
		struct str input = buf_str(&s->in);
		enum smtpreply_state state = smtpreply_feed(&s->reply, &input);

		buf_consume(&s->in, s->in.n - input.n);
		if (state == SMTPREPLY_COMPLETE)
			return s->reply.code;
		if (state == SMTPREPLY_BAD)
			tool_die(ME, EXIT_TEMPORARY, "the server does not speak SMTP");
		read_more(s);
	}
}

static int ask(struct server *s, const char *verb, const char *argument)
{
	struct buf line = BUF_INIT(10000);

	buf_addz(&line, verb);
	buf_addz(&line, argument);
	buf_addz(&line, "\r\n");
	send_all(buf_str(&line));
	buf_free(&line);
	return reply(s);
}

/* What the server said last: its last line. */
static struct str last_line(const struct server *s)
{
	struct str text = buf_str(&s->reply.text), line = STR(""), next;

	while (str_next_line(&text, &next))
		line = next;
	return line;
}

static void report(struct server *s, const char *name)
{
	struct buf text = BUF_INIT(SERIALREPORT_MAX), out = BUF_INIT(2 * SERIALREPORT_MAX);

	buf_addz(&text, s->ip);
	buf_addz(&text, " said: ");
	buf_add(&text, str_head(last_line(s), SERIALREPORT_TEXT));
	serialreport_add(&out, str_of(name), serialreport_letter(s->reply.code), buf_str(&text));
	if (io_write_all(1, out.p, out.n) == -1)
		lost("unable to write output");
	buf_free(&text);
	buf_free(&out);
}

static void report_partial_line(const char *name)
{
	struct buf out = BUF_INIT(2 * SERIALREPORT_MAX);

	serialreport_add(&out, str_of(name), 'D', STR(PARTIAL_LINE));
	if (io_write_all(1, out.p, out.n) == -1)
		lost("unable to write output");
	buf_free(&out);
}

static _Noreturn void goodbye(const struct server *s, const char *what)
{
	send_all(STR("QUIT\r\n"));
	tool_die(ME, EXIT_TEMPORARY, "%s %.*s: %s", s->ip, STR_ARG(last_line(s)), what);
}

static void greet(struct server *s, const char *helohost)
{
	if (reply(s) != 220)
		goodbye(s, "the server does not want to talk");
	if (ask(s, "EHLO ", helohost) == 250) {
		s->pipelining = ehlo_parse(buf_str(&s->reply.text)).pipelining;
		return;
	}
	if (ask(s, "HELO ", helohost) != 250)
		goodbye(s, "the server does not accept our name");
}

/* A command on its way, and whether its reply refuses. */
static bool step(struct server *s, struct buf *commands, const char *verb, struct str address, bool *refused)
{
	if (!*refused) {
		buf_addz(commands, verb);
		if (strchr(verb, '<')) {
			quote_address(commands, address);
			buf_addc(commands, '>');
		}
		buf_addz(commands, "\r\n");
	}
	if (s->pipelining || *refused)
		return true;
	send_all(buf_str(commands));
	buf_clear(commands);
	*refused = reply(s) >= 400;
	return !*refused;
}

/* All replies of a pipelined envelope; the first refusal is what is reported. True: content may come. */
static bool envelope_replies(struct server *s, size_t n, const char *name)
{
	bool refused = false;

	for (size_t i = 0; i < n; i++)
		if (reply(s) >= 400 && !refused) {
			refused = true;
			report(s, name);
		}
	if (refused && s->reply.code < 400) {
		/* It waits for content all the same, and gets none. */
		send_all(STR(".\r\n"));
		reply(s);
	}
	return !refused;
}

static bool envelope(struct server *s, const struct serialhead *head, const char *name)
{
	struct buf commands = BUF_INIT(6 * SERIALHEAD_MAX);
	size_t n = s->used ? 4 : 3;
	bool refused = false;

	if (s->used)
		step(s, &commands, "RSET", STR(""), &refused);
	step(s, &commands, "MAIL FROM:<", buf_str(&head->sender), &refused);
	step(s, &commands, "RCPT TO:<", buf_str(&head->recipient), &refused);
	step(s, &commands, "DATA", STR(""), &refused);
	s->used = true;
	if (s->pipelining) {
		send_all(buf_str(&commands));
		refused = !envelope_replies(s, n, name);
	} else if (refused) {
		report(s, name);
	}
	buf_free(&commands);
	return !refused;
}

static void content(int fd)
{
	struct buf out = BUF_INIT(2 * CHUNK + 10);
	struct dotstuff d = DOTSTUFF_INIT;
	char chunk[CHUNK];
	ssize_t r;

	while ((r = io_read(fd, chunk, sizeof chunk)) > 0) {
		dotstuff_add(&d, (struct str){ chunk, (size_t)r }, &out);
		send_all(buf_str(&out));
		buf_clear(&out);
	}
	if (r == -1)
		lost("unable to read file");
	/* It had a last line end when it was looked at. */
	if (!dotstuff_end(&d, &out))
		tool_die(ME, EXIT_TEMPORARY, "the message has changed");
	send_all(buf_str(&out));
	buf_free(&out);
}

static bool ends_with_line(int fd, const struct serialhead *head)
{
	int64_t size = file_size(fd);
	char last;

	if (size <= (int64_t)head->length)
		return size == (int64_t)head->length;
	return file_read_at(fd, &last, 1, (uint64_t)size - 1) == 1 && last == '\n';
}

static void send_message(struct server *s, const char *name, int fd, const struct serialhead *head)
{
	if (!ends_with_line(fd, head)) {
		report_partial_line(name);
		return;
	}
	if (!envelope(s, head, name))
		return;
	content(fd);
	reply(s);
	report(s, name);
}

int main(int argc, char **argv)
{
	struct serialhead head = SERIALHEAD_INIT;
	struct server s = { .ip = getenv("TCPREMOTEIP"), .in = BUF_INIT(2 * CHUNK) };
	struct serialnames names;
	struct err e;

	if (argc != 3)
		tool_usage(ME, "prefix helohost");
	if (s.ip == NULL)
		s.ip = "unknown";
	signal(SIGPIPE, SIG_IGN);
	smtpreply_init(&s.reply);
	serialnames_read(&names, ME);
	greet(&s, argv[2]);
	for (const char *name; (name = serialnames_next(&names));) {
		int fd = serialhead_open(name, str_of(argv[1]), &head, &e);

		if (fd == -1)
			continue;
		send_message(&s, name, fd, &head);
		close(fd);
	}
	send_all(STR("QUIT\r\n"));
	serialhead_free(&head);
	smtpreply_free(&s.reply);
	buf_free(&s.in);
	buf_free(&names.text);
	return 0;
}
