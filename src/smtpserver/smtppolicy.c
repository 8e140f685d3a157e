#include "smtpserver/smtppolicy.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "sys/home.h"

#define LINE_LIMIT 1000

static const char *const files[] = { "me",
				     "smtpgreeting",
				     "databytes",
				     "timeoutsmtpd",
				     "badmailfrom",
				     "smtpsessiontimeout",
				     "maxrecipients",
				     "maxsmtperrors",
				     "maxsmtpidle",
				     "localiphost",
				     "rcpthosts",
				     "morercpthosts.cdb",
				     "locals",
				     "virtualdomains",
				     "rcptcheck",
				     "envnoathost",
				     "percenthack",
				     "smtpdsn" };

static bool load_greeting(struct smtp_policy *p, struct err *e)
{
	bool have_me, have_greeting;

	if (!control_line("me", &p->me, &have_me, e) || !control_line("smtpgreeting", &p->greeting, &have_greeting, e))
		return false;
	if (!have_greeting && !have_me)
		return err_perm(e, "control/me does not exist; write this machine's full name there");
	if (!have_greeting)
		buf_add(&p->greeting, buf_str(&p->me));
	if (str_has_control(buf_str(&p->greeting)))
		return err_perm(e, "control/smtpgreeting has control characters");
	return true;
}

static bool load_localiphost(struct smtp_policy *p, struct err *e)
{
	bool present;

	if (!control_line("localiphost", &p->localiphost, &present, e))
		return false;
	if (!present)
		buf_add(&p->localiphost, buf_str(&p->me));
	p->settings.has_localiphost = p->localiphost.n > 0;
	return true;
}

/* Like an integer file, the leading digits of $DATABYTES count. */
void smtp_policy_environment(struct smtp_policy *p)
{
	const char *text = getenv("DATABYTES");

	p->settings.databytes = text ? str_leading_u64(str_of(text)) : p->databytes;
}

static bool load_numbers(struct smtp_policy *p, struct err *e)
{
	struct smtp_settings *s = &p->settings;

	uint64_t dsn = SMTP_DSN_ALL;

	s->max_recipients = 50000;
	s->max_errors = 100;
	s->max_idle = 1000;
	p->timeout = 1200;
	p->session_timeout = 7200;
	if (!control_number("databytes", &s->databytes, e) || !control_number("timeoutsmtpd", &p->timeout, e) ||
	    !control_number("smtpsessiontimeout", &p->session_timeout, e) ||
	    !control_number("maxrecipients", &s->max_recipients, e) ||
	    !control_number("maxsmtperrors", &s->max_errors, e) || !control_number("maxsmtpidle", &s->max_idle, e))
		return false;
	if (!control_number("smtpdsn", &dsn, e))
		return false;
	s->dsn = dsn > SMTP_DSN_ALL ? SMTP_DSN_ALL : (enum smtp_dsn)dsn;
	p->databytes = s->databytes;
	smtp_policy_environment(p);
	if (p->timeout < 1)
		p->timeout = 1;
	/* A century; keeps sums of seconds and milliseconds far from overflow. */
	if (p->timeout > 3155760000u)
		p->timeout = 3155760000u;
	if (p->session_timeout > 3155760000u)
		p->session_timeout = 3155760000u;
	return true;
}

/* What is delivered here. */
static bool load_own(struct smtp_policy *p, struct err *e)
{
	if (p->own_loaded)
		return true;
	if (!control_set_load("locals", &p->locals, e) || !control_map_load("virtualdomains", &p->virtualdomains, e) ||
	    !control_line_or_me("envnoathost", "envnoathost", &p->envnoathost, e))
		return false;
	if (!p->locals.present) {
		control_map_free(&p->locals);
		control_set_single(&p->locals, buf_str(&p->me));
	}
	p->own_loaded = true;
	return true;
}

static bool load_lists(struct smtp_policy *p, struct err *e)
{
	return control_set_load("badmailfrom", &p->badmailfrom, e) && control_set_load("rcpthosts", &p->rcpthosts, e) &&
	       (p->rcpthosts.present || load_own(p, e));
}

static bool load_routes(struct smtp_policy *p, struct err *e)
{
	uint64_t check = 0;

	if (!control_number("rcptcheck", &check, e))
		return false;
	p->check_mailboxes = check != 0;
	return !p->check_mailboxes || route_load(&p->routes, e);
}

bool smtp_policy_load(struct smtp_policy *p, struct err *e)
{
	*p = (struct smtp_policy){ .me = BUF_INIT(LINE_LIMIT),
				   .greeting = BUF_INIT(LINE_LIMIT),
				   .localiphost = BUF_INIT(LINE_LIMIT),
				   .envnoathost = BUF_INIT(LINE_LIMIT),
				   .morercpthosts = CDBFILE_INIT };
	if (!load_greeting(p, e) || !load_localiphost(p, e) || !load_numbers(p, e) || !load_lists(p, e) ||
	    !load_routes(p, e)) {
		smtp_policy_free(p);
		return false;
	}
	p->settings.greeting = buf_str(&p->greeting);
	p->settings.localiphost = buf_str(&p->localiphost);
	return true;
}

bool smtp_policy_preload(struct smtp_policy *p, struct err *e)
{
	if (p->morercpthosts_loaded || !p->rcpthosts.present)
		return true;
	p->morercpthosts_loaded = cdbfile_open(&p->morercpthosts, home_dir(), "control/morercpthosts.cdb", e);
	return p->morercpthosts_loaded;
}

void smtp_policy_free(struct smtp_policy *p)
{
	buf_free(&p->me);
	buf_free(&p->greeting);
	buf_free(&p->localiphost);
	buf_free(&p->envnoathost);
	control_map_free(&p->badmailfrom);
	control_map_free(&p->rcpthosts);
	control_map_free(&p->locals);
	control_map_free(&p->virtualdomains);
	route_free(&p->routes);
	cdbfile_close(&p->morercpthosts);
	p->morercpthosts_loaded = false;
}

uint64_t smtp_policy_fingerprint(void)
{
	return control_fingerprint(files, sizeof files / sizeof *files);
}

bool smtp_policy_sender_is_bad(const struct smtp_policy *p, struct str sender, size_t at)
{
	if (!p->badmailfrom.present || sender.n == 0)
		return false;
	return control_map_find(&p->badmailfrom, sender, NULL) ||
	       (at < sender.n && control_map_find(&p->badmailfrom, str_from(sender, at), NULL));
}

/* The domain, then each `.suffix` of it, as control_map_find_domain does. */
static bool find_in_cdb(const struct cdbfile *f, struct str domain, bool *found, struct err *e)
{
	struct buf lower = BUF_INIT(SMTPARG_ADDRESS_MAX + LINE_LIMIT);
	struct str key, value;
	bool ok = true;

	*found = false;
	buf_add_lower(&lower, domain);
	key = buf_str(&lower);
	while (key.n) {
		size_t dot;

		ok = cdbfile_find(f, key, found, &value, e);
		if (!ok || *found)
			break;
		dot = str_chr(str_from(key, 1), '.');
		key = str_from(key, 1 + dot);
	}
	buf_free(&lower);
	return ok;
}

/* A virtual domain by itself, by a suffix, or the one address; `domain:` with nothing behind it is an exception. */
static bool is_virtual(const struct smtp_policy *p, struct str recipient, struct str domain)
{
	struct str value;

	if (control_map_find(&p->virtualdomains, recipient, &value))
		return value.n > 0;
	return control_map_find_domain(&p->virtualdomains, domain, &value) && value.n > 0;
}

static bool is_delivered_here(const struct smtp_policy *p, struct str recipient, struct str domain)
{
	return control_map_find(&p->locals, domain, NULL) || is_virtual(p, recipient, domain);
}

enum smtp_permission smtp_policy_recipient(struct smtp_policy *p, struct str recipient, size_t at, struct err *e)
{
	bool bare = at >= recipient.n, found;
	struct str domain;

	if (bare && !load_own(p, e))
		return SMTP_UNDECIDED;
	domain = bare ? buf_str(&p->envnoathost) : str_from(recipient, at + 1);
	if ((bare || !p->rcpthosts.present) && is_delivered_here(p, recipient, domain))
		return SMTP_ALLOWED;
	if (!p->rcpthosts.present)
		return SMTP_REFUSED;
	if (control_map_find_domain(&p->rcpthosts, domain, NULL))
		return SMTP_ALLOWED;
	if (!smtp_policy_preload(p, e) || !find_in_cdb(&p->morercpthosts, domain, &found, e))
		return SMTP_UNDECIDED;
	return found ? SMTP_ALLOWED : SMTP_REFUSED;
}

static bool same_address(const struct sockaddr *sa, int family, const void *bytes)
{
	if (sa == NULL || sa->sa_family != family)
		return false;
	if (family == AF_INET)
		return memcmp(&((const struct sockaddr_in *)(const void *)sa)->sin_addr, bytes, 4) == 0;
	return memcmp(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, bytes, 16) == 0;
}

bool smtp_policy_own_address(struct str literal)
{
	bool v6 = str_istarts(literal, STR("IPv6:")), own = false;
	int family = v6 ? AF_INET6 : AF_INET;
	unsigned char bytes[16];
	char text[64];
	struct ifaddrs *all;

	if (v6)
		literal = str_from(literal, 5);
	if (literal.n >= sizeof text)
		return false;
	memcpy(text, literal.p, literal.n);
	text[literal.n] = 0;
	if (inet_pton(family, text, bytes) != 1 || getifaddrs(&all) == -1)
		return false;
	for (const struct ifaddrs *i = all; i && !own; i = i->ifa_next)
		own = same_address(i->ifa_addr, family, bytes);
	freeifaddrs(all);
	return own;
}
