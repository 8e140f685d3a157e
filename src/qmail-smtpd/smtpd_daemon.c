#include "qmail-smtpd/smtpd_daemon.h"

#include <stdlib.h>
#include <unistd.h>

#include "listener/listener.h"
#include "qmail-smtpd/smtpd_client.h"
#include "qmail-smtpd/smtpd_serve.h"
#include "sandbox/sandbox.h"
#include "sys/accounts.h"
#include "sys/clock.h"
#include "sys/home.h"
#include "sys/service.h"

#define NAME "qmail-smtpd"

static const struct sandbox_rights rights = {
	.name = NAME,
	.may = SANDBOX_ACCEPT | SANDBOX_UNIX | SANDBOX_FORK | SANDBOX_INTERFACES | SANDBOX_QUEUE_PROGRAM,
	.memory = 512 * SANDBOX_MIB,
	.paths = { { "control", SANDBOX_READ } },
};

struct daemon {
	struct smtp_policy policy;
	uint64_t fingerprint; /* of the files that policy was read from */
	struct listener listener;
	struct listener_config config;
	bool export; /* a $QMAILQUEUE program will want to know the client */
};

static void log_line(const char *line)
{
	service_log(NAME, "pid %ld %s", (long)getpid(), line);
}

static void log_own(void *ctx, const char *line)
{
	(void)ctx;
	service_log(NAME, "%s", line);
}

static int serve(void *ctx, int fd, const struct inetaddr *peer)
{
	/* Another connection in this process is one of the same client: its name is known. */
	static struct smtpd_client client;
	struct daemon *d = ctx;
	struct smtpd_connection c = {
		.in = fd, .out = fd, .timed = true, .policy = &d->policy, .client = &client.client, .log = log_line
	};

	if (client.client.ip.n == 0) {
		smtpd_client_from_peer(&client, peer, buf_str(&d->policy.me));
		if (d->export)
			smtpd_client_export(&client);
	}
	return smtpd_serve(&c);
}

static bool load(struct daemon *d, struct smtp_policy *policy, struct err *e)
{
	uint64_t fingerprint = smtp_policy_fingerprint();
	struct err damaged;

	if (!smtp_policy_load(policy, e))
		return false;
	d->fingerprint = fingerprint;
	/* Its domains get temporary errors until it is repaired; all others go on. */
	if (!smtp_policy_preload(policy, &damaged))
		log_own(d, damaged.text);
	return true;
}

/* New settings for the connections to come. A set that cannot be read whole changes nothing. */
static void reload(void *ctx)
{
	struct daemon *d = ctx;
	struct smtp_policy fresh;
	struct err e;

	if (!load(d, &fresh, &e)) {
		service_log(NAME, "keeping the settings of before: %s", e.text);
		d->fingerprint = smtp_policy_fingerprint();
		return;
	}
	smtp_policy_free(&d->policy);
	d->policy = fresh;
	d->listener.config.io_timeout = (unsigned)fresh.timeout;
	listener_new_settings(&d->listener);
	log_own(d, "settings read again");
}

/* qmail reads its control files for each connection; here a change counts within a second. */
static void refresh(void *ctx)
{
	struct daemon *d = ctx;

	if (smtp_policy_fingerprint() != d->fingerprint)
		reload(d);
}

static bool limits(struct daemon *d, struct err *e)
{
	uint64_t children = 100, per_client = 20;

	if (!control_number("concurrencyincoming", &children, e) ||
	    !control_number("concurrencyperclient", &per_client, e))
		return false;
	d->config.max_children = children > 10000 ? 10000 : (unsigned)children;
	d->config.max_per_client = per_client > 10000 ? 10000 : (unsigned)per_client;
	return true;
}

static bool bind_listed(struct daemon *d, struct buf *bound, struct err *e)
{
	struct control_list list;
	bool ok = true;

	if (!control_list_load("smtplisten", &list, e))
		return false;
	if (!list.present)
		ok = listener_bind(&d->listener, STR("*:25"), bound, e);
	for (size_t i = 0; ok && i < list.n; i++)
		ok = listener_bind(&d->listener, list.items[i], bound, e);
	if (ok && d->listener.nfds == 0)
		ok = err_perm(e, "control/smtplisten names no address");
	control_list_free(&list);
	return ok;
}

static bool bind_all(struct daemon *d, const struct str *addresses, size_t n, struct buf *bound, struct err *e)
{
	if (n == 0)
		return bind_listed(d, bound, e);
	for (size_t i = 0; i < n; i++)
		if (!listener_bind(&d->listener, addresses[i], bound, e))
			return false;
	return true;
}

static bool give_up_root(struct err *e)
{
	struct accounts a;

	return accounts_load(&a, e) && (!a.separated || accounts_become(a.uid[ACCOUNT_DAEMON], a.gid_nofiles, e));
}

static void announce(struct str bound)
{
	struct str line;

	while (str_next_line(&bound, &line))
		service_log(NAME, "listening on %.*s", STR_ARG(line));
}

bool smtpd_daemon(const struct str *addresses, size_t n, struct err *e)
{
	static struct daemon d;
	struct buf bound = BUF_INIT(LISTENER_SOCKETS_MAX * 64);
	const char *queue = getenv("QMAILQUEUE");
	bool ok;

	d.config = (struct listener_config){
		.grace = 20,
		.keep_ms = 1000,
		.busy = "421 too many connections, try again later (#4.3.2)\r\n",
		.busy_client = "421 too many connections from your address (#4.7.0)\r\n",
		.serve = serve,
		.reload = reload,
		.refresh = refresh,
		.log = log_own,
		.ctx = &d,
	};
	d.export = queue != NULL && *queue != 0;
	ok = home_enter(e) && load(&d, &d.policy, e) && limits(&d, e) && bind_all(&d, addresses, n, &bound, e) &&
	     give_up_root(e) && sandbox_enter(&rights, e);
	if (ok) {
		d.config.io_timeout = (unsigned)d.policy.timeout;
		announce(buf_str(&bound));
		if (getenv("RELAYCLIENT"))
			log_own(&d, "RELAYCLIENT is set: every client may send to everybody");
		ok = listener_run(&d.listener, &d.config, e);
	}
	listener_close(&d.listener);
	smtp_policy_free(&d.policy);
	buf_free(&bound);
	return ok;
}
