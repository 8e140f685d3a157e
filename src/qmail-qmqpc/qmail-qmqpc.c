/*
 * qmail-qmqpc: in place of qmail-queue on a machine without a queue: reads a
 * message from descriptor 0 and an envelope from descriptor 1, and gives them
 * to one of the servers in control/qmqpservers by QMQP (contract §16.3).
 * Prints nothing; the exit code says everything.
 *
 * A line of control/qmqpservers: an address or a name, with :PORT behind it
 * where that is not 628 (IPv6 addresses in brackets then). The next server is
 * tried when one cannot be reached, or is lost before it has the message.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf/control.h"
#include "qmtp/qmqprequest.h"
#include "sys/clock.h"
#include "sys/home.h"
#include "sys/io.h"
#include "ucspi/dial.h"
#include "ucspi/hostaddr.h"

#define PORT 628
#define CONNECT_MS 10000
#define IO_MS 60000

enum { MEMORY = 51, READ = 54, CONFIG = 55, HOME = 61, TIMED_OUT = 72, REFUSED = 73, LOST = 74, BAD_ENVELOPE = 91 };

/* ---- input ---- */

static void read_message(struct buf *message)
{
	if (!io_read_rest(0, message))
		_exit(errno == EFBIG ? MEMORY : READ);
}

/* The writer may wait for us before it closes its end, so nothing is read beyond the envelope's. */
static void read_envelope(struct buf *envelope)
{
	size_t at = 0;

	while (!qmqprequest_envelope_whole(buf_str(envelope), &at)) {
		char *room = buf_room(envelope, 4096);
		ssize_t r = room ? io_read(1, room, 4096) : -1;

		if (room == NULL)
			_exit(MEMORY);
		if (r <= 0)
			_exit(READ);
		buf_wrote(envelope, (size_t)r);
	}
}

/* ---- one server ---- */

static bool send_all(int fd, struct str data, int64_t *progress)
{
	while (data.n) {
		ssize_t r = -1;

		if (dial_wait(fd, POLLOUT, *progress + IO_MS))
			r = write(fd, data.p, data.n);
		if (r == -1 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (r <= 0)
			return false;
		data = str_from(data, (size_t)r);
		*progress = clock_monotonic_ms();
	}
	return true;
}

/* The first K, Z or D decides. */
static int read_answer(int fd)
{
	char chunk[1000];
	ssize_t r;

	while (dial_wait(fd, POLLIN, clock_monotonic_ms() + IO_MS)) {
		r = read(fd, chunk, sizeof chunk);
		if (r == -1 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (r <= 0)
			return LOST;
		for (ssize_t i = 0; i < r; i++) {
			if (chunk[i] == 'K')
				return 0;
			if (chunk[i] == 'Z')
				return 71;
			if (chunk[i] == 'D')
				return 31;
		}
	}
	return LOST;
}

/* *again: the server does not have the message, and another one may take it. */
static int try_address(const struct inetaddr *a, struct str request, bool *again)
{
	int64_t progress = clock_monotonic_ms();
	int fd = dial(a, NULL, progress + CONNECT_MS, NULL), code = LOST;

	*again = true;
	if (fd == -1)
		return errno == ETIMEDOUT ? TIMED_OUT : REFUSED;
	if (io_set_nonblocking(fd, true) != -1 && send_all(fd, request, &progress)) {
		*again = false;
		code = read_answer(fd);
	}
	close(fd);
	return code;
}

static int try_server(struct str line, struct str request, bool *again)
{
	struct hostaddr list = { .n = 0 };
	struct str host;
	uint16_t port = PORT;
	struct err e;
	int code = CONFIG;

	if (!qmqprequest_server(line, &host, &port) || !hostaddr_find(host, HOSTADDR_ANY, &list, &e))
		return CONFIG;
	for (size_t i = 0; i < list.n && *again; i++) {
		list.a[i].port = port;
		code = try_address(&list.a[i], request, again);
	}
	return code;
}

static int deliver(struct str request)
{
	struct control_list servers;
	bool again = true;
	struct err e;
	int code = CONFIG;

	if (!control_list_load("qmqpservers", &servers, &e))
		return CONFIG;
	for (size_t i = 0; i < servers.n && again; i++) {
		int one = try_server(servers.items[i], request, &again);

		/* A line that is no server must not hide what became of the others. */
		if (one != CONFIG)
			code = one;
	}
	control_list_free(&servers);
	return code;
}

int main(void)
{
	struct buf message = BUF_INIT(QMQPREQUEST_MESSAGE_MAX), envelope = BUF_INIT(QMQPREQUEST_ENVELOPE_MAX);
	struct buf request = BUF_INIT(2ull * QMQPREQUEST_MESSAGE_MAX);
	struct err e;
	int code = BAD_ENVELOPE;

	signal(SIGPIPE, SIG_IGN);
	io_open_standard_fds();
	if (!home_enter(&e))
		return HOME;
	read_message(&message);
	read_envelope(&envelope);
	if (qmqprequest_make(buf_str(&message), buf_str(&envelope), &request)) {
		buf_free(&message);
		code = deliver(buf_str(&request));
	}
	buf_free(&message);
	buf_free(&envelope);
	buf_free(&request);
	return code;
}
