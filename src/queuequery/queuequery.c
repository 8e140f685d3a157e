#include "queuequery/queuequery.h"

#include <errno.h>
#include <unistd.h>

#include "sys/home.h"
#include "sys/unixsock.h"

static bool ask(enum queue_packet request, int *fd, struct err *e)
{
	char type = (char)request;

	if (!unixsock_connect(home_dir(), "run/queue", UNIXSOCK_PACKET, fd, e))
		return err_context(e, "qmail-journal does not answer in %s", home_path());
	if (unixsock_send(*fd, (struct str){ &type, 1 }, -1) == 0)
		return true;
	err_sys(e, errno, "unable to speak with qmail-journal");
	close(*fd);
	return false;
}

/* One packet into b; false at the end or on errors. */
static bool receive(int fd, struct buf *b, struct err *e)
{
	int passed;
	ssize_t n;

	buf_clear(b);
	n = unixsock_recv(fd, b, QUEUE_PACKET_MAX, &passed);
	if (passed != -1)
		close(passed);
	if (n > 0)
		return true;
	return n == 0 ? err_temp(e, "qmail-journal closed the connection (only root and the queue's owner may ask)")
		      : err_sys(e, errno, "unable to read from qmail-journal");
}

bool queuequery_figures(struct queue_figures *f, struct err *e)
{
	struct buf b = BUF_INIT(QUEUE_PACKET_MAX);
	struct wire_reader r;
	int fd;
	bool ok;

	if (!ask(PACKET_STAT, &fd, e))
		return false;
	ok = receive(fd, &b, e);
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
			ok = err_temp(e, "qmail-journal answered in another version's words");
	}
	buf_free(&b);
	return ok;
}

bool queuequery_list(void (*each)(void *ctx, const struct message_packet *m, struct wire_reader *r), void *ctx,
		     struct err *e)
{
	struct buf b = BUF_INIT(QUEUE_PACKET_MAX);
	bool ok = true, ready = false;
	int fd;

	if (!ask(PACKET_LIST, &fd, e))
		return false;
	while (ok && !ready) {
		struct wire_reader r;
		struct message_packet m;
		uint8_t type;

		ok = receive(fd, &b, e);
		if (!ok)
			break;
		r = wire_reader(buf_str(&b));
		type = wire_get_u8(&r);
		ready = type == PACKET_READY;
		if (type == PACKET_MESSAGE && queue_get_message(&r, &m))
			each(ctx, &m, &r);
		else if (!ready)
			ok = err_temp(e, "qmail-journal answered in another version's words");
	}
	close(fd);
	buf_free(&b);
	return ok;
}
