#include "ucspi/connection.h"

#include <errno.h>
#include <stdio.h>

#include "ucspi/hostaddr.h"
#include "ucspi/ident.h"

static bool read_address(int fd, int (*get)(int, struct sockaddr *, socklen_t *), struct inetaddr *a)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof ss;

	if (get(fd, (struct sockaddr *)&ss, &n) == -1)
		return false;
	errno = EPROTO;
	return inetaddr_from((const struct sockaddr *)&ss, a);
}

bool connection_local(struct connection *c, int fd)
{
	struct inetaddr a;

	if (!read_address(fd, getsockname, &a))
		return false;
	connection_set_local(c, &a);
	return true;
}

void connection_set_local(struct connection *c, const struct inetaddr *a)
{
	c->local = *a;
	inetaddr_text(a, c->local_ip);
}

void connection_set_remote(struct connection *c, const struct inetaddr *a)
{
	c->remote = *a;
	inetaddr_text(a, c->remote_ip);
}

bool connection_remote(struct connection *c, int fd)
{
	struct inetaddr a;

	if (!read_address(fd, getpeername, &a))
		return false;
	connection_set_remote(c, &a);
	return true;
}

void connection_name(struct connection *c, const struct connection_wishes *w)
{
	c->has_local_name = true;
	if (w->local_name)
		buf_addz(&c->local_name, w->local_name);
	else
		c->has_local_name = hostaddr_name(&c->local, &c->local_name);
	c->has_remote_name = w->remote_name && hostaddr_name(&c->remote, &c->remote_name);
	if (c->has_remote_name && w->paranoid)
		c->has_remote_name = hostaddr_leads_to(buf_str(&c->remote_name), &c->remote);
	if (!c->has_remote_name)
		buf_clear(&c->remote_name);
	c->has_info = w->info && ident_ask(&c->remote, &c->local, w->info_seconds, &c->info);
}

/* PROTOsideWHAT=value, or removed. */
static void put(struct childenv *env, const char *proto, const char *what, struct str value, bool known)
{
	char name[32];

	snprintf(name, sizeof name, "%s%s", proto, what);
	if (known)
		childenv_set_str(env, str_of(name), value);
	else
		childenv_remove(env, str_of(name));
}

static void put_all(const struct connection *c, struct childenv *env, const char *proto, bool known)
{
	char local_port[8], remote_port[8];

	snprintf(local_port, sizeof local_port, "%u", (unsigned)c->local.port);
	snprintf(remote_port, sizeof remote_port, "%u", (unsigned)c->remote.port);
	put(env, proto, "LOCALIP", str_of(c->local_ip), known);
	put(env, proto, "LOCALPORT", str_of(local_port), known);
	put(env, proto, "LOCALHOST", buf_str(&c->local_name), known && c->has_local_name);
	put(env, proto, "REMOTEIP", str_of(c->remote_ip), known);
	put(env, proto, "REMOTEPORT", str_of(remote_port), known);
	put(env, proto, "REMOTEHOST", buf_str(&c->remote_name), known && c->has_remote_name);
	put(env, proto, "REMOTEINFO", buf_str(&c->info), known && c->has_info);
}

void connection_environment(const struct connection *c, struct childenv *env)
{
	bool v6 = c->remote.v6;

	childenv_set(env, "PROTO", v6 ? "TCP6" : "TCP");
	put_all(c, env, "TCP", true);
	put_all(c, env, "TCP6", v6);
}

void connection_environment_tls(const struct connection *c, struct str tls, struct childenv *env)
{
	struct str version, cipher;

	put_all(c, env, "SSL", true);
	childenv_set(env, "PROTO", "SSL");
	str_cut(tls, ' ', &version, &cipher);
	childenv_set_str(env, STR("SSL_PROTOCOL"), version);
	childenv_set_str(env, STR("SSL_CIPHER"), cipher);
}

void connection_forget(struct childenv *env)
{
	static const struct connection none;

	put_all(&none, env, "TCP", false);
	put_all(&none, env, "TCP6", false);
}
