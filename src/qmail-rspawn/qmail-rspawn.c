/*
 * qmail-rspawn: all remote deliveries, in one event loop.
 *
 * Takes requests from qmail-send on the packet socket run/rspawn
 * (wire/delivery.h), finds the exchangers through control/smtproutes or
 * qmail-resolve, and keeps SMTP sessions for further messages. Runs as its
 * own user; messages come as open descriptors.
 *
 * SIGHUP reads the control files again. SIGTERM: no new deliveries; ends when
 * those under way are done, or after STOP_SECONDS, or with a second SIGTERM.
 */
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "qmail-rspawn/job.h"
#include "qmail-rspawn/peer.h"
#include "qmail-rspawn/provider.h"
#include "qmail-rspawn/sender.h"
#include "qmail-rspawn/wrapper.h"
#include "sandbox/sandbox.h"
#include "sys/io.h"
#include "sys/service.h"

#define STOP_SECONDS 20
#define OWN_ADDRESSES_TICKS 5 /* between looks at what addresses the machine has */

static const struct sandbox_rights rights = {
	.name = "rspawn",
	.may = SANDBOX_ACCEPT | SANDBOX_UNIX | SANDBOX_INTERNET | SANDBOX_INTERFACES,
	.memory = 4 * SANDBOX_GIB,
	/* Besides the settings: the certificates that the system trusts, and where its links lead. */
	.paths = { { "control", SANDBOX_READ },
		   { "/etc/ssl", SANDBOX_READ },
		   { "/usr/lib/ssl", SANDBOX_READ },
		   { "/usr/share/ca-certificates", SANDBOX_READ },
		   { "/usr/local/share/ca-certificates", SANDBOX_READ } },
};

struct loop {
	struct rspawn r;
	struct event *always[5]; /* tick and signals */
	struct event *dns;
};

struct outsettings_ref *settings_use(struct outsettings_ref *ref)
{
	ref->users++;
	return ref;
}

void settings_drop(struct outsettings_ref *ref)
{
	if (--ref->users)
		return;
	outsettings_free(&ref->s);
	free(ref);
}

static struct outsettings_ref *load_settings(struct err *e)
{
	struct outsettings_ref *ref = mem_zero(1, sizeof *ref);

	if (outsettings_load(&ref->s, e))
		return settings_use(ref);
	free(ref);
	return NULL;
}

void rspawn_job_ended(struct rspawn *r)
{
	if (r->first_job == NULL && r->stopping)
		event_base_loopbreak(r->base);
}

static void reload(struct rspawn *r)
{
	struct outsettings_ref *fresh;
	struct err e;

	r->fingerprint = outsettings_fingerprint();
	r->tls_fingerprint = tlshosts_fingerprint();
	fresh = load_settings(&e);
	if (fresh == NULL) {
		service_log("rspawn", "warning: unable to use the %scontrol files: %s", r->settings ? "new " : "",
			    e.text);
		return;
	}
	if (r->settings)
		settings_drop(r->settings);
	r->settings = fresh;
}

/* An exchanger whose address has become ours must not be connected to. */
static bool own_addresses_current(struct rspawn *r)
{
	return ++r->ticks % OWN_ADDRESSES_TICKS || r->settings == NULL || ownaddresses_current(&r->settings->s.own);
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
	struct rspawn *r = ctx;

	(void)fd, (void)what;
	dns_client_tick(r->dns);
	/* Looking at these for every message would cost more than it is worth. */
	if (tlshosts_fingerprint() != r->tls_fingerprint || !own_addresses_current(r))
		reload(r);
	peers_tick(r->peers);
}

void rspawn_check_settings(struct rspawn *r)
{
	if (outsettings_fingerprint() != r->fingerprint)
		reload(r);
}

static void on_hup(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd, (void)what;
	reload(ctx);
}

static void on_child(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd, (void)what;
	wrapper_reap(ctx);
}

static void on_term(evutil_socket_t fd, short what, void *ctx)
{
	struct rspawn *r = ctx;
	struct timeval patience = { STOP_SECONDS, 0 };

	(void)fd, (void)what;
	if (r->stopping || r->first_job == NULL) {
		event_base_loopbreak(r->base);
		return;
	}
	r->stopping = true;
	senders_stop(r->senders);
	event_base_loopexit(r->base, &patience);
}

static void on_dns(evutil_socket_t fd, short what, void *ctx)
{
	struct rspawn *r = ctx;

	(void)fd, (void)what;
	dns_client_readable(r->dns);
}

static void watch_dns(void *ctx, int fd)
{
	struct loop *l = ctx;

	if (l->dns)
		event_free(l->dns);
	l->dns = NULL;
	if (fd == -1)
		return;
	l->dns = event_new(l->r.base, fd, EV_READ | EV_PERSIST, on_dns, &l->r);
	event_add(l->dns, NULL);
}

/* A session and a message descriptor for each delivery need more than the usual 1,024. */
static void raise_descriptors(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) == -1)
		return;
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
}

static void __attribute__((noreturn)) die(const struct err *e)
{
	service_log("rspawn", "fatal: %s", e->text);
	_exit(err_exit_code(e));
}

/* Signals wait for the loop from now on: a SIGHUP during the start must not end the process. */
static void catch_signals(struct loop *l, struct err *e)
{
	struct timeval second = { 1, 0 };
	struct rspawn *r = &l->r;

	r->base = event_base_new();
	if (r->base == NULL) {
		err_temp(e, "unable to set up the event loop");
		die(e);
	}
	l->always[0] = event_new(r->base, -1, EV_PERSIST, on_tick, r);
	l->always[1] = evsignal_new(r->base, SIGHUP, on_hup, r);
	l->always[2] = evsignal_new(r->base, SIGTERM, on_term, r);
	l->always[3] = evsignal_new(r->base, SIGINT, on_term, r);
	l->always[4] = evsignal_new(r->base, SIGCHLD, on_child, r);
	event_add(l->always[0], &second);
	for (size_t i = 1; i < 5; i++)
		event_add(l->always[i], NULL);
}

static void start(struct loop *l)
{
	struct rspawn *r = &l->r;
	struct err e;
	int listenfd;

	catch_signals(l, &e);
	if (!service_start("rspawn", UNIXSOCK_PACKET, 0600, &listenfd, &e))
		die(&e);
	raise_descriptors();
	tls_prepare();
	/* What somebody else's program may need nobody knows here; it inherits what we may. */
	if (wrapper_program())
		service_log("rspawn", "deliveries by %s, without confinement", wrapper_program());
	else if (!sandbox_enter(&rights, &e))
		die(&e);
	reload(r);
	r->dns = dns_client_new(watch_dns, l);
	r->peers = peers_new(r);
	r->senders = senders_new(r, listenfd);
}

int main(void)
{
	struct loop l = { 0 };

	io_open_standard_fds();
	signal(SIGPIPE, SIG_IGN);
	start(&l);
	service_ready();
	event_base_dispatch(l.r.base);
	peers_free(l.r.peers);
	/* What is left waits for the DNS. */
	while (l.r.first_job)
		job_free(l.r.first_job);
	providers_free(&l.r);
	dns_client_free(l.r.dns);
	senders_free(l.r.senders);
	if (l.r.settings)
		settings_drop(l.r.settings);
	for (size_t i = 0; i < 5; i++)
		event_free(l.always[i]);
	event_base_free(l.r.base);
	return 0;
}
