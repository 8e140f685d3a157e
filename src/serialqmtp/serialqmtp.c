/*
 * serialqmtp PREFIX: sends the messages named on descriptor 0 to the QMTP
 * server on descriptors 6 and 7, and reports on each (contract-companions
 * §5.2). Messages go out without waiting for answers.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "base/mem.h"
#include "filter/tool.h"
#include "qmtp/netreader.h"
#include "serial/serialhead.h"
#include "serial/serialnames.h"
#include "serial/serialreport.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/io.h"

#define ME "serialqmtp"
#define READ_MS 3600000
#define WRITE_MS 73000
#define CHUNK 65536
#define ANSWER_MAX 10000 /* bytes of one answer */

struct serialqmtp {
	const char *prefix;
	struct serialnames names;
	bool all_named; /* there are no more names */
	int fd;         /* the message going out; -1: none */
	uint64_t left;  /* bytes of it */
	struct serialhead head;
	struct buf out, in;
	const char **waiting; /* names without an answer yet, in order; owned */
	size_t first, n;      /* those from `first` up to n */
	int64_t read_by, write_by;
};

static _Noreturn void lost(const char *what)
{
	tool_die(ME, EXIT_TEMPORARY, "%s: %s", what, errno_text(errno));
}

static void wait_for_answer(struct serialqmtp *q, const char *name)
{
	q->waiting = mem_array(q->waiting, q->n + 1, sizeof *q->waiting);
	q->waiting[q->n++] = name;
}

/* The beginning of a message's netstring. False: it is not one of ours. */
static bool begin_message(struct serialqmtp *q, const char *name)
{
	int64_t size;
	struct err e;

	q->fd = serialhead_open(name, str_of(q->prefix), &q->head, &e);
	if (q->fd == -1)
		return false;
	size = file_size(q->fd);
	q->left = size > (int64_t)q->head.length ? (uint64_t)size - q->head.length : 0;
	if (q->left >= NETREADER_LENGTH_MAX) {
		close(q->fd);
		q->fd = -1;
		return false;
	}
	/* LF in front says that lines end in LF. */
	buf_addu(&q->out, q->left + 1);
	buf_addz(&q->out, ":\n");
	wait_for_answer(q, name);
	return true;
}

static void end_message(struct serialqmtp *q)
{
	struct buf list = BUF_INIT(2 * SERIALHEAD_MAX);

	close(q->fd);
	q->fd = -1;
	buf_addc(&q->out, ',');
	netstring_add(&q->out, buf_str(&q->head.sender));
	netstring_add(&list, buf_str(&q->head.recipient));
	netstring_add(&q->out, buf_str(&list));
	buf_free(&list);
}

static void add_content(struct serialqmtp *q)
{
	size_t want = q->left < CHUNK ? (size_t)q->left : CHUNK;
	ssize_t r = io_read(q->fd, buf_room(&q->out, want), want);

	if (r == 0)
		errno = EIO; /* shorter than it was */
	if (r <= 0)
		lost("unable to read file");
	buf_wrote(&q->out, (size_t)r);
	q->left -= (uint64_t)r;
}

/* Something to write, if there is anything left. */
static void fill(struct serialqmtp *q)
{
	while (q->out.n < CHUNK && !q->all_named) {
		const char *name;

		if (q->fd != -1 && q->left) {
			add_content(q);
		} else if (q->fd != -1) {
			end_message(q);
		} else {
			name = serialnames_next(&q->names);
			q->all_named = name == NULL;
			if (name)
				begin_message(q, name);
		}
	}
}

static void report(const char *name, struct str answer)
{
	struct buf out = BUF_INIT(ANSWER_MAX + SERIALREPORT_MAX);

	serialreport_add(&out, str_of(name), *answer.p, str_from(answer, 1));
	if (io_write_all(1, out.p, out.n) == -1)
		lost("unable to write output");
	buf_free(&out);
}

static _Noreturn void violation(void)
{
	tool_die(ME, EXIT_TEMPORARY, "remote protocol violation");
}

/* Takes one whole answer; false: more must be read first. */
static bool take_answer(struct serialqmtp *q)
{
	struct str bytes = buf_str(&q->in), digits, rest;
	bool colon = str_cut(bytes, ':', &digits, &rest);
	uint64_t n = 0;

	if (digits.n > 9 || (colon && (!str_to_u64(digits, &n) || n == 0 || n > ANSWER_MAX)))
		violation();
	if (!colon || rest.n <= n)
		return false;
	if (rest.p[n] != ',' || strchr("KZD", *rest.p) == NULL || *rest.p == 0 || q->first == q->n)
		violation();
	report(q->waiting[q->first++], str_head(rest, (size_t)n));
	buf_consume(&q->in, digits.n + 1 + (size_t)n + 1);
	return true;
}

static void read_some(struct serialqmtp *q)
{
	char *room = buf_room(&q->in, CHUNK);
	ssize_t r = read(6, room, CHUNK);

	if (r == -1 && (errno == EINTR || errno == EAGAIN))
		return;
	if (r == 0)
		tool_die(ME, EXIT_TEMPORARY, "connection died");
	if (r < 0)
		lost("unable to read from network");
	buf_wrote(&q->in, (size_t)r);
	while (take_answer(q))
		;
	q->read_by = clock_monotonic_ms() + READ_MS;
}

static void write_some(struct serialqmtp *q)
{
	ssize_t r = write(7, q->out.p, q->out.n);

	if (r == -1 && (errno == EINTR || errno == EAGAIN))
		return;
	if (r < 0)
		lost("unable to write to network");
	buf_consume(&q->out, (size_t)r);
	q->write_by = clock_monotonic_ms() + WRITE_MS;
}

static void wait_and_move(struct serialqmtp *q)
{
	struct pollfd p[2] = { { .fd = 6, .events = POLLIN }, { .fd = q->out.n ? 7 : -1, .events = POLLOUT } };
	int64_t now = clock_monotonic_ms(), by = q->out.n && q->write_by < q->read_by ? q->write_by : q->read_by;

	if (by <= now) {
		errno = ETIMEDOUT;
		lost(q->out.n && q->write_by <= now ? "unable to write to network" : "unable to read from network");
	}
	if (poll(p, 2, (int)(by - now)) <= 0)
		return;
	if (p[0].revents)
		read_some(q);
	if (p[1].revents)
		write_some(q);
}

int main(int argc, char **argv)
{
	static struct serialqmtp q = {
		.fd = -1,
		.head = { .sender = { .limit = SERIALHEAD_MAX }, .recipient = { .limit = SERIALHEAD_MAX } },
		.out = { .limit = 4 * CHUNK },
		.in = { .limit = 2 * CHUNK },
	};

	if (argc != 2)
		tool_usage(ME, "prefix");
	q.prefix = argv[1];
	signal(SIGPIPE, SIG_IGN);
	if (io_set_nonblocking(6, true) == -1 || io_set_nonblocking(7, true) == -1)
		lost("no connection on descriptors 6 and 7");
	serialnames_read(&q.names, ME);
	q.read_by = clock_monotonic_ms() + READ_MS;
	q.write_by = clock_monotonic_ms() + WRITE_MS;
	for (;;) {
		bool idle = q.out.n == 0;

		fill(&q);
		if (idle)
			q.write_by = clock_monotonic_ms() + WRITE_MS;
		if (q.out.n == 0 && q.first == q.n)
			return 0;
		wait_and_move(&q);
	}
}
