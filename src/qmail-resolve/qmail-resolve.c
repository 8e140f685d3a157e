/*
 * qmail-resolve: all DNS of the mail system, in one process with one cache.
 *
 * Answers questions on the packet socket run/resolve (dns/dnsanswer.h). Runs
 * as its own user, opens nothing but control files and the network, and keeps
 * nothing: when it dies, questions under way become temporary failures.
 * SIGHUP reads the control files again, SIGTERM ends it.
 */
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "qmail-resolve/asker.h"
#include "resolver/lookup.h"
#include "sandbox/sandbox.h"
#include "sys/io.h"
#include "sys/service.h"

static const struct sandbox_rights rights = {
	.name = "resolve",
	.may = SANDBOX_ACCEPT | SANDBOX_INTERNET,
	.memory = 1 * SANDBOX_GIB,
	/* resolv.conf is replaced by renaming, so that its directory counts; it is often a link. */
	.paths = { { "control", SANDBOX_READ }, { "/etc", SANDBOX_READ }, { "/run/systemd/resolve", SANDBOX_READ },
	           { "/run/resolvconf", SANDBOX_READ }, { "/usr/share/dns", SANDBOX_READ } },
};

static void log_line(const char *text)
{
	service_log("resolve", "%s", text);
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd, (void)what;
	lookups_tick(ctx);
}

static void on_hup(evutil_socket_t fd, short what, void *ctx)
{
	struct err e;

	(void)fd, (void)what;
	if (!lookups_reload(ctx, &e))
		service_log("resolve", "warning: unable to use the new control files: %s", e.text);
}

static void on_term(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd, (void)what;
	event_base_loopbreak(ctx);
}

static void die(const struct err *e)
{
	service_log("resolve", "fatal: %s", e->text);
	_exit(err_exit_code(e));
}

int main(void)
{
	struct event_base *base;
	struct event *tick, *hup, *term, *interrupt;
	struct timeval second = { 1, 0 };
	struct lookups *lookups;
	struct askers *askers;
	struct err e;
	int listenfd;

	io_open_standard_fds();
	signal(SIGPIPE, SIG_IGN);
	if (!service_start("resolve", UNIXSOCK_PACKET, 0666, &listenfd, &e))
		die(&e);
	base = event_base_new();
	if (base == NULL) {
		err_temp(&e, "unable to set up the event loop");
		die(&e);
	}
	if (!sandbox_enter(&rights, &e))
		die(&e);
	if (!lookups_new(base, log_line, &lookups, &e))
		die(&e);
	askers = askers_new(base, listenfd, lookups);
	tick = event_new(base, -1, EV_PERSIST, on_tick, lookups);
	hup = evsignal_new(base, SIGHUP, on_hup, lookups);
	term = evsignal_new(base, SIGTERM, on_term, base);
	interrupt = evsignal_new(base, SIGINT, on_term, base);
	event_add(tick, &second);
	event_add(hup, NULL);
	event_add(term, NULL);
	event_add(interrupt, NULL);
	event_base_dispatch(base);
	askers_free(askers);
	lookups_free(lookups);
	event_free(tick);
	event_free(hup);
	event_free(term);
	event_free(interrupt);
	event_base_free(base);
	return 0;
}
