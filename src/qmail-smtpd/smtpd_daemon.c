#include "qmail-smtpd/smtpd_daemon.h"

#include <stdlib.h>
#include <unistd.h>

#include "listener/listener.h"
#include "qmail-smtpd/smtpd_client.h"
#include "qmail-smtpd/smtpd_serve.h"
#include "sandbox/sandbox.h"
#include "serving/admission.h"
#include "serving/listening.h"
#include "submit/submit_program.h"
#include "sys/accounts.h"
#include "sys/clock.h"
#include "sys/home.h"
#include "sys/service.h"

#define NAME "qmail-smtpd"

/* Where the rules are is added. */
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
	struct admission admission;
	bool export;   /* a $QMAILQUEUE program will want to know the client */
	bool programs; /* the sandbox lets such a program run */
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

/* ---- one client ------------------------------------------------------------------- */

static void refuse(int fd, const char *why, const struct smtpd_client *client, const char *reply)
{
	service_log(NAME, "pid %ld %s [%s]", (long)getpid(), why, client->ip);
	(void)send(fd, reply, strlen(reply), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void export(void *ctx)
{
	smtpd_client_export(ctx);
}

/* Do the rules let him in? Then *session has what they say. */
static bool admit(struct daemon *d, int fd, struct smtpd_client *client, struct smtpd_client *session)
{
	struct rule_client asked = { .ip = client->client.ip, .host = client->client.host };
	struct connlimit connections = { .from_client = (unsigned)d->listener.from_client };
	struct err e;

	asked.has_host = !str_eq(asked.host, STR("unknown"));
	switch (admission_ask(&d->admission, &asked, export, client, &e)) {
	case ACCESS_TROUBLE:
		refuse(fd, e.text, client, "421 unable to read the rules of this server (#4.3.0)\r\n");
		return false;
	case ACCESS_DENIED:
		refuse(fd, "denied by the rules:", client, "554 your address is not let in here (#5.7.1)\r\n");
		return false;
	case ACCESS_ALLOWED:
		break;
	}
	if (!admission_within(&connections)) {
		refuse(fd, "too many connections:", client, d->config.busy_client);
		return false;
	}
	/* A rule's $QMAILQUEUE that was not there at the start cannot be run; anything else would lose its purpose. */
	if (submit_program_wanted() && !d->programs) {
		refuse(fd, "the rules name a QMAILQUEUE since this server has started; restart it:", client,
		       "421 unable to run a program (#4.3.0)\r\n");
		return false;
	}
	smtpd_client_from_environment(session, fd);
	smtp_policy_environment(&d->policy);
	return true;
}

static int serve(void *ctx, int fd, const struct inetaddr *peer)
{
	/* Another connection in this process is one of the same client: its name is known. */
	static struct smtpd_client client, by_rules;
	struct daemon *d = ctx;
	struct smtpd_connection c = {
		.in = fd, .out = fd, .timed = true, .policy = &d->policy, .client = &client.client, .log = log_line
	};
	bool first = client.client.ip.n == 0;

	if (first)
		smtpd_client_from_peer(&client, peer, buf_str(&d->policy.me));
	if (d->admission.path) {
		c.client = &by_rules.client;
		if (!admit(d, fd, &client, &by_rules))
			return 1;
	} else if (first && d->export) {
		smtpd_client_export(&client);
	}
	return smtpd_serve(&c);
}

/* ---- settings --------------------------------------------------------------------- */

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

static bool give_up_root(struct err *e)
{
	struct accounts a;

	return accounts_load(&a, e) && (!a.separated || accounts_become(a.uid[ACCOUNT_DAEMON], a.gid_nofiles, e));
}

/* Rules are read again for each client. */
static bool confine(struct daemon *d, struct err *e)
{
	struct sandbox_rights r = rights;

	if (d->admission.path)
		r.paths[1] = (struct sandbox_path){ d->admission.directory, SANDBOX_READ };
	d->programs = d->export;
	if (!d->programs && accessrules_mention(&d->admission.rules, "QMAILQUEUE")) {
		r.may |= SANDBOX_PROGRAMS;
		d->programs = true;
	}
	return sandbox_enter(&r, e);
}

static bool start(struct daemon *d, const struct listening_place *place, const char *rules, struct err *e)
{
	d->admission = ADMISSION_INIT;
	if (rules && !admission_option(&d->admission, rules, e))
		return false;
	return home_enter(e) && load(d, &d->policy, e) && listening_limits(&d->config, "concurrencyincoming", e) &&
	       admission_open(&d->admission, "smtprules", e) && listening_open(&d->listener, place, e) &&
	       give_up_root(e) && confine(d, e);
}

bool smtpd_daemon(const struct str *addresses, size_t n, const char *rules, struct err *e)
{
	static struct daemon d;
	const struct listening_place place = { NAME, addresses, n, "smtplisten", "*:25" };
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
	ok = start(&d, &place, rules, e);
	if (ok) {
		d.config.io_timeout = (unsigned)d.policy.timeout;
		if (getenv("RELAYCLIENT"))
			log_own(&d, "RELAYCLIENT is set: every client may send to everybody");
		ok = listener_run(&d.listener, &d.config, e);
	}
	listener_close(&d.listener);
	smtp_policy_free(&d.policy);
	admission_close(&d.admission);
	return ok;
}
