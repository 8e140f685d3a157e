#include "qmtp/mailin.h"

#include <signal.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "sys/clientenv.h"
#include "sys/clock.h"
#include "sys/io.h"

static void on_alarm(int sig)
{
	(void)sig;
	_exit(EXIT_TEMPORARY);
}

void mailin_process(unsigned seconds)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, on_alarm);
	alarm(seconds);
	io_open_standard_fds();
}

void mailin_start(struct mailin *m, struct str protocol)
{
	*m = (struct mailin){ .submit = SUBMIT_INIT, .protocol = protocol };
	m->client.ip = clientenv_str("REMOTEIP", "unknown");
	m->client.host = clientenv_str("REMOTEHOST", "unknown");
	m->client.local = clientenv_str("LOCALHOST", NULL);
	if (m->client.local.n == 0)
		m->client.local = clientenv_str("LOCALIP", "unknown");
	m->client.info = clientenv_str("REMOTEINFO", NULL);
	m->client.has_info = clientenv("REMOTEINFO") != NULL;
}

bool mailin_begin(struct mailin *m, struct err *e)
{
	struct buf received = BUF_INIT(100000);

	if (!submit_begin(&m->submit, true, e))
		return false;
	submit_attribute(&m->submit, ATTR_PROTOCOL, m->protocol);
	submit_attribute(&m->submit, ATTR_CLIENT_IP, m->client.ip);
	submit_attribute(&m->submit, ATTR_CLIENT_NAME, m->client.host);
	received_smtp(&received, &m->client, m->protocol, clock_wall());
	submit_data(&m->submit, buf_str(&received));
	buf_free(&received);
	return true;
}

void mailin_commit(struct mailin *m, struct buf *answer)
{
	struct submit_result r;

	if (submit_commit(&m->submit, &r)) {
		buf_addf(answer, "Kok %lld qp %ld", (long long)clock_wall(), (long)r.qp);
		return;
	}
	buf_addc(answer, r.letter);
	buf_addz(answer, r.text);
}
