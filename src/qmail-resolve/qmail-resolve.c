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
#include "sys/accounts.h"
#include "sys/io.h"
#include "sys/service.h"

static const struct sandbox_rights rights = {
	.name = "resolve",
	.may = SANDBOX_ACCEPT | SANDBOX_INTERNET,
	.memory = 1 * SANDBOX_GIB,
	/* resolv.conf is replaced by renaming, so that its directory counts; it is often a link. */
	.paths = { { "control", SANDBOX_READ },
		   { "/etc", SANDBOX_READ },
		   { "/run/systemd/resolve", SANDBOX_READ },
		   { "/run/resolvconf", SANDBOX_READ },
		   { "/usr/share/dns", SANDBOX_READ } },
};

struct loop {
	struct event_base *base;
	struct lookups *lookups;
	struct event *always[4]; /* tick and signals */
};

static void log_line(const char *text)
{
	service_log("resolve", "%s", text);
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd, (void)what;
	lookups_tick(((struct loop *)ctx)->lookups);
}

static void on_hup(evutil_socket_t fd, short what, void *ctx)
{
	struct err e;

	(void)fd, (void)what;
	if (!lookups_reload(((struct loop *)ctx)->lookups, &e))
		service_log("resolve", "warning: unable to use the new control files: %s", e.text);
}

static void on_term(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd, (void)what;
	event_base_loopbreak(((struct loop *)ctx)->base);
}

static void die(const struct err *e)
{
	service_log("resolve", "fatal: %s", e->text);
	_exit(err_exit_code(e));
}

/* Signals wait for the loop from now on: a SIGHUP during the start must not end the process. */
static void catch_signals(struct loop *l, struct err *e)
{
	struct timeval second = { 1, 0 };

	l->base = event_base_new();
	if (l->base == NULL) {
		err_temp(e, "unable to set up the event loop");
		die(e);
	}
	l->always[0] = event_new(l->base, -1, EV_PERSIST, on_tick, l);
	l->always[1] = evsignal_new(l->base, SIGHUP, on_hup, l);
	l->always[2] = evsignal_new(l->base, SIGTERM, on_term, l);
	l->always[3] = evsignal_new(l->base, SIGINT, on_term, l);
	event_add(l->always[0], &second);
	for (size_t i = 1; i < 4; i++)
		event_add(l->always[i], NULL);
}

int main(void)
{
	struct loop l = { 0 };
	struct askers *askers;
	struct accounts ours;
	struct err e;
	int listenfd;

	io_open_standard_fds();
	signal(SIGPIPE, SIG_IGN);
	catch_signals(&l, &e);
	if (!service_start("resolve", UNIXSOCK_PACKET, 0666, &listenfd, &e))
		die(&e);
	/* Started by hand there may be no accounts. */
	if (!accounts_load_names(&ours, &e))
		accounts_single(&ours);
	if (!sandbox_enter(&rights, &e))
		die(&e);
	if (!lookups_new(l.base, log_line, &l.lookups, &e))
		die(&e);
	askers = askers_new(l.base, listenfd, l.lookups, &ours);
	service_ready();
	event_base_dispatch(l.base);
	askers_free(askers);
	lookups_free(l.lookups);
	for (size_t i = 0; i < 4; i++)
		event_free(l.always[i]);
	event_base_free(l.base);
	return 0;
}
