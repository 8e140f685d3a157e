#include "qmtp/mailin.h"

#include <stdlib.h>

#include "sys/clock.h"

static struct str variable(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return str_of(value ? value : otherwise);
}

void mailin_start(struct mailin *m, struct str protocol)
{
	*m = (struct mailin){ .submit = SUBMIT_INIT, .protocol = protocol };
	m->client.ip = variable("TCPREMOTEIP", "unknown");
	m->client.host = variable("TCPREMOTEHOST", "unknown");
	m->client.local = variable("TCPLOCALHOST", NULL);
	if (m->client.local.n == 0)
		m->client.local = variable("TCPLOCALIP", "unknown");
	m->client.info = variable("TCPREMOTEINFO", NULL);
	m->client.has_info = getenv("TCPREMOTEINFO") != NULL;
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
