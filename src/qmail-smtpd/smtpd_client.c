#include "qmail-smtpd/smtpd_client.h"

#include <stdlib.h>

#include "base/mem.h"
#include "dns/dnsanswer.h"
#include "listener/clientname.h"
#include "submit/submit_program.h"
#include "sys/clientenv.h"

static void relay_from_environment(struct smtp_client *c)
{
	const char *relay = getenv("RELAYCLIENT");

	c->relay = relay != NULL;
	c->no_wishes = submit_program_wanted();
	c->relay_suffix = str_of(relay);
}

static void find_name(struct smtpd_client *c, const struct inetaddr *peer)
{
	c->name = BUF_INIT(DNS_NAME_MAX);
	clientname_find(peer, &c->name);
	c->client.host = buf_str(&c->name);
}

static bool peer_of(int fd, struct inetaddr *peer)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;

	return getpeername(fd, (void *)&ss, &len) == 0 && inetaddr_from((const void *)&ss, peer);
}

void smtpd_client_from_environment(struct smtpd_client *c, int fd)
{
	struct inetaddr peer;
	const char *info = clientenv("REMOTEINFO");

	*c = (struct smtpd_client){ 0 };
	c->client.ip = clientenv_str("REMOTEIP", "unknown");
	c->client.host = clientenv_str("REMOTEHOST", "unknown");
	c->client.local = clientenv_str("LOCALHOST", NULL);
	if (c->client.local.n == 0)
		c->client.local = clientenv_str("LOCALIP", "unknown");
	c->client.has_info = info != NULL;
	c->client.info = str_of(info);
	relay_from_environment(&c->client);
	if (clientenv("REMOTEIP") || !peer_of(fd, &peer))
		return;
	inetaddr_text(&peer, c->ip);
	c->client.ip = str_of(c->ip);
	if (clientenv("REMOTEHOST") == NULL)
		find_name(c, &peer);
}

void smtpd_client_from_peer(struct smtpd_client *c, const struct inetaddr *peer, struct str local)
{
	*c = (struct smtpd_client){ 0 };
	inetaddr_text(peer, c->ip);
	c->client.ip = str_of(c->ip);
	find_name(c, peer);
	c->client.local = local;
	relay_from_environment(&c->client);
}

static void export(const char *name, struct str value)
{
	char *z = mem_copy(value);

	setenv(name, z, 1);
	free(z);
}

void smtpd_client_export(const struct smtpd_client *c)
{
	export("PROTO", STR("TCP"));
	export("TCPREMOTEIP", c->client.ip);
	if (str_eq(c->client.host, STR("unknown")))
		unsetenv("TCPREMOTEHOST");
	else
		export("TCPREMOTEHOST", c->client.host);
	unsetenv("TCPREMOTEINFO");
	export("TCPLOCALHOST", c->client.local);
}
