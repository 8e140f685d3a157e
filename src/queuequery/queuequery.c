#include "queuequery/queuequery.h"

#include <errno.h>
#include <unistd.h>

#include "sys/home.h"
#include "sys/ownjournal.h"
#include "sys/unixsock.h"

static bool connect_running(int *fd, struct err *e)
{
	return unixsock_connect(home_dir(), "run/queue", UNIXSOCK_PACKET, fd, e) ||
	       err_context(e, "qmail-journal does not answer in %s", home_path());
}

bool queuequery_connect(int *fd, struct err *e)
{
	return connect_running(fd, e) || own_journal(UNIXSOCK_PACKET, fd, e);
}

bool queuequery_send(int fd, struct str packet, struct err *e)
{
	return unixsock_send(fd, packet, -1) == 0 || err_sys(e, errno, "unable to speak with qmail-journal");
}

bool queuequery_receive(int fd, struct buf *b, int *passed, struct err *e)
{
	int came;
	ssize_t n;

	buf_clear(b);
	n = unixsock_recv(fd, b, QUEUE_PACKET_MAX, &came);
	if (passed)
		*passed = came;
	else if (came != -1)
		close(came);
	if (n > 0)
		return true;
	return n == 0 ? err_temp(e, "qmail-journal closed the connection (only root and the queue's owner may ask)")
		      : err_sys(e, errno, "unable to read from qmail-journal");
}

bool queuequery_strange(struct err *e)
{
	return err_temp(e, "qmail-journal answered in another version's words");
}

bool queuequery_figures(struct queue_figures *f, struct err *e)
{
	struct buf b = BUF_INIT(QUEUE_PACKET_MAX);
	char stat = PACKET_STAT;
	struct wire_reader r;
	int fd;
	bool ok;

	if (!connect_running(&fd, e))
		return false;
	ok = queuequery_send(fd, (struct str){ &stat, 1 }, e) && queuequery_receive(fd, &b, NULL, e);
	close(fd);
	if (ok) {
		r = wire_reader(buf_str(&b));
		ok = wire_get_u8(&r) == PACKET_STATUS;
		f->messages = wire_get_u64(&r);
		f->bytes = wire_get_u64(&r);
		f->segments = wire_get_u64(&r);
		f->accepted = wire_get_u64(&r);
		f->damaged = wire_get_u64(&r);
		f->refusing = wire_get_u8(&r) != 0;
		if (!ok || !wire_end(&r))
			ok = queuequery_strange(e);
	}
	buf_free(&b);
	return ok;
}

bool queuequery_list(void (*each)(void *ctx, const struct message_packet *m, struct wire_reader *r), void *ctx,
		     struct err *e)
{
	static const char request[2] = { PACKET_LIST, OPEN_ENVELOPE };
	struct buf b = BUF_INIT(QUEUE_PACKET_MAX);
	bool ok, ready = false;
	int fd;

	if (!queuequery_connect(&fd, e))
		return false;
	ok = queuequery_send(fd, (struct str){ request, sizeof request }, e);
	while (ok && !ready) {
		struct wire_reader r;
		struct message_packet m;
		uint8_t type;

		ok = queuequery_receive(fd, &b, NULL, e);
		if (!ok)
			break;
		r = wire_reader(buf_str(&b));
		type = wire_get_u8(&r);
		ready = type == PACKET_READY;
		if (type == PACKET_MESSAGE && queue_get_message(&r, &m))
			each(ctx, &m, &r);
		else if (!ready)
			ok = queuequery_strange(e);
	}
	close(fd);
	buf_free(&b);
	return ok;
}
