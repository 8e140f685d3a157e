#include "deadhosts/deadhosts.h"

#include <errno.h>
#include <unistd.h>

#include "sys/home.h"
#include "sys/unixsock.h"

#define PATIENCE_MS 60000

static bool read_answer(int fd, void (*each)(const struct dead_host *h), struct err *e)
{
	struct buf packet = BUF_INIT(UNIXSOCK_PACKET_MAX);
	struct dead_host host = { 0 };
	bool ok = true, more = true;

	while (ok && more) {
		int passed = -1;
		ssize_t n;

		buf_clear(&packet);
		n = unixsock_recv(fd, &packet, UNIXSOCK_PACKET_MAX, &passed);
		if (passed != -1)
			close(passed);
		if (n == -1)
			ok = err_sys(e, errno, "unable to read run/rspawn");
		else if (n == 0 || !dead_get_host(buf_str(&packet), &host))
			ok = err_temp(e, "unable to read run/rspawn: qmail-rspawn hung up");
		more = host.address.n > 0;
		if (ok && more && each)
			each(&host);
	}
	buf_free(&packet);
	return ok;
}

bool deadhosts_ask(bool forget, void (*each)(const struct dead_host *h), struct err *e)
{
	struct buf question = BUF_INIT(10);
	bool ok;
	int fd;

	if (!unixsock_connect_within(home_dir(), "run/rspawn", UNIXSOCK_PACKET, PATIENCE_MS, &fd, e))
		return false;
	dead_put_question(&question, forget);
	ok = unixsock_send(fd, buf_str(&question), -1) == 0 || err_sys(e, errno, "unable to write to run/rspawn");
	ok = ok && read_answer(fd, each, e);
	buf_free(&question);
	close(fd);
	return ok;
}
