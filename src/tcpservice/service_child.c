#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netrules/addrlist.h"
#include "sys/clock.h"
#include "sys/io.h"
#include "sys/options.h"
#include "tcpservice/tcpservice.h"
#include "ucspi/logfield.h"
#include "ucspi/proxyheader.h"

#define PROXY_MS 10000 /* for a PROXY header */

static _Noreturn void drop(const struct tcpservice *t, const char *what, int errnum)
{
	service_drop(t, "%s: %s", what, errno_text(errnum));
	_exit(111);
}

/* What the socket needs before anything else happens, and what the client sees first. */
static void prepare(const struct tcpservice *t, int fd)
{
	int on = 1;

	/* Source routes would let a client pretend to be elsewhere. There are none in IPv6. */
	if (!t->keep_options)
		setsockopt(fd, IPPROTO_IP, IP_OPTIONS, NULL, 0);
	if (t->common.no_delay)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (t->banner && io_write_all(fd, t->banner, strlen(t->banner)) == -1)
		drop(t, "unable to print banner", errno);
}

static void set(void *ctx, struct str name, struct str value)
{
	struct childenv *env = ctx;

	if (value.p)
		childenv_set_str(env, name, value);
	else
		childenv_remove(env, name);
}

static bool admitted(const struct tcpservice *t, const struct connection *c, struct childenv *env)
{
	struct rule_client client = {
		.ip = str_of(c->remote_ip),
		.has_host = c->has_remote_name,
		.host = buf_str(&c->remote_name),
		.has_info = c->has_info,
		.info = buf_str(&c->info),
	};
	struct err e;
	enum access answer = accessrules_ask(&t->rules, &client, set, env, &e);

	if (answer == ACCESS_TROUBLE) {
		service_drop(t, "unable to read %s: %s", t->rules.path, e.sys ? errno_text(e.sys) : e.text);
		_exit(111);
	}
	return answer == ACCESS_ALLOWED;
}

static const char *variable(const void *ctx, const char *name)
{
	return childenv_get(ctx, name);
}

/* Has this client too many connections? All of a proxy's clients look the same. */
static bool too_many(const struct tcpservice *t, const struct childenv *env, bool proxied)
{
	return !proxied && !connlimit_within(&t->connections, variable, env);
}

static void log_verdict(const struct tcpservice *t, const struct connection *c, bool allowed)
{
	struct buf line = BUF_INIT(2000);

	if (t->common.verbosity < 2)
		return;
	buf_addf(&line, "%s %ld ", allowed ? "ok" : "deny", (long)getpid());
	logfield_add(&line, buf_str(&c->local_name));
	buf_addf(&line, ":%s:%u ", c->local_ip, (unsigned)c->local.port);
	logfield_add(&line, buf_str(&c->remote_name));
	buf_addf(&line, ":%s:", c->remote_ip);
	logfield_add(&line, buf_str(&c->info));
	buf_addf(&line, ":%u", (unsigned)c->remote.port);
	service_say(t, "%s", buf_cstr(&line));
	buf_free(&line);
}

/* Who is behind the proxy? True: c has both addresses now. */
static bool ask_proxy(const struct tcpservice *t, int fd, struct connection *c)
{
	struct inetaddr remote, local;
	enum proxyheader found;

	if (t->proxies == NULL || !addrlist_has(str_of(t->proxies), &c->remote))
		return false;
	found = proxyheader_read(fd, clock_monotonic_ms() + PROXY_MS, &remote, &local);
	if (found == PROXYHEADER_BAD) {
		service_drop(t, "no PROXY header from %s", c->remote_ip);
		_exit(111);
	}
	if (found == PROXYHEADER_OWN)
		return false;
	connection_set_remote(c, &remote);
	connection_set_local(c, &local);
	return true;
}

_Noreturn void service_child(struct tcpservice *t, int fd, const struct inetaddr *peer)
{
	struct connection c = CONNECTION_INIT;
	struct childenv env = childenv_start();
	int io[2] = { fd, fd };
	bool allowed, proxied;

	connection_set_remote(&c, peer);
	proxied = ask_proxy(t, fd, &c);
	service_say(t, "pid %ld from %s", (long)getpid(), c.remote_ip);
	prepare(t, fd);
	if (!proxied && !connection_local(&c, fd))
		drop(t, "unable to get local address", errno);
	/* The client's host knows nothing of a connection from here. */
	if (proxied)
		t->common.names.info = false;
	connection_name(&c, &t->common.names);
	connection_environment(&c, &env);
	allowed = admitted(t, &c, &env) && !too_many(t, &env, proxied);
	log_verdict(t, &c, allowed);
	if (!allowed)
		_exit(100);
	if (t->wrap && !t->wrap(t, &c, fd, io, &env))
		_exit(111);
	if (dup2(io[0], 0) == -1 || dup2(io[1], 1) == -1)
		drop(t, "unable to set up descriptors", errno);
	childenv_run(&env, t->program[0], t->program);
	service_drop(t, "unable to run %s: %s", t->program[0], errno_text(errno));
	_exit(111);
}
