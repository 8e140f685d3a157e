/*
 * quill_why: quill why ADDRESS: what would happen to mail for an address, and
 * by which line of which file. The same code decides as for mail.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "cdb/cdbfile.h"
#include "dns/dnsclient.h"
#include "local/dotfile.h"
#include "local/local.h"
#include "quill/queue_print.h"
#include "quill/quill.h"
#include "sys/accounts.h"
#include "sys/home.h"
#include "users/getpw.h"
#include "users/userdb.h"
#include "virtual/virtualfind.h"

enum { WILL = 0, WILL_NOT = 100, UNKNOWN = 111 };

static void say(const char *what, struct str value)
{
	struct buf b = BUF_INIT(SIZE_MAX);

	buf_addf(&b, "  %-14s ", what);
	queue_put_text(&b, value, "");
	fwrite(b.p, 1, b.n, stdout);
	buf_free(&b);
}

static void sayf(const char *what, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void sayf(const char *what, const char *fmt, ...)
{
	char text[3000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	say(what, str_of(text));
}

/* ---- routing ------------------------------------------------------------------------------------ */

/* The entry of virtualdomains that counts for the address, in the order in which they are looked up. */
static bool virtual_entry(const struct route_tables *t, struct str address, struct str *key, struct str *value)
{
	struct str domain = str_from(address, str_rchr(address, '@') + 1);

	*key = address;
	if (control_map_find(&t->virtualdomains, *key, value))
		return true;
	for (size_t at = 0; at <= domain.n; at++) {
		*key = str_from(domain, at);
		if ((at == 0 || at == domain.n || key->p[0] == '.') &&
		    control_map_find(&t->virtualdomains, *key, value))
			return true;
	}
	return false;
}

static void explain_route(const struct route_tables *t, struct str base, enum route_channel channel, struct str deliver)
{
	struct str domain = str_from(base, str_rchr(base, '@') + 1), key, value;

	if (control_map_find(&t->locals, domain, NULL)) {
		sayf("local", "control/%s has %.*s", t->locals.present ? "locals" : "me", STR_ARG(domain));
	} else if (virtual_entry(t, base, &key, &value)) {
		sayf(channel == ROUTE_LOCAL ? "local" : "remote", "control/virtualdomains has %.*s:%.*s", STR_ARG(key),
		     STR_ARG(value));
	} else {
		sayf("remote", "%.*s is neither in control/locals nor in control/virtualdomains", STR_ARG(domain));
	}
	if (!str_eq(base, deliver))
		say("delivered to", deliver);
}

/* ---- local ---------------------------------------------------------------------------------------- */

/* The .qmail file that controls it, in the current directory; files that end in -default stand for others. */
static bool name_of_dotfile(const struct owner *o, struct buf *name, struct err *e)
{
	struct str ext = str_of(o->ext);
	bool exists = false;

	buf_clear(name);
	if (!dotfile_exists(str_of(o->dash), ext, STR(""), &exists, e))
		return false;
	buf_addf(name, ".qmail%s%.*s", o->dash, STR_ARG(ext));
	for (size_t n = ext.n + 1; !exists && n-- > 0;) {
		if (n && ext.p[n - 1] != '-')
			continue;
		if (!dotfile_exists(str_of(o->dash), str_head(ext, n), STR("default"), &exists, e))
			return false;
		buf_clear(name);
		buf_addf(name, ".qmail%s%.*sdefault", o->dash, STR_ARG(str_head(ext, n)));
	}
	if (!exists)
		buf_clear(name);
	/* Dots in an address never lead elsewhere. */
	for (size_t i = str_of(".qmail").n; i < name->n; i++)
		if (name->p[i] == '.')
			name->p[i] = ':';
	return true;
}

static int describe(struct local_job *job, const struct owner *o, bool instructed)
{
	struct local_report report = LOCAL_REPORT_INIT;
	struct buf name = BUF_INIT(4096);
	struct err e;
	int code;

	if (chdir(job->home) == 0 && !instructed) {
		if (!name_of_dotfile(o, &name, &e))
			say("trouble", str_of(e.text));
		else if (name.n)
			sayf("by", "%s/%s", job->home, buf_cstr(&name));
		else if (o->dash[0])
			say("by", STR("no .qmail file fits"));
		else
			sayf("by", "the default delivery, as there is no %s/.qmail", job->home);
	}
	code = local_deliver(job, &report);
	say("would", report.out.n ? buf_str(&report.out) : STR("do nothing"));
	return code == LOCAL_OK ? WILL : code == LOCAL_PERMANENT ? WILL_NOT : UNKNOWN;
}

/* As its owner, since only the owner may look at the files. */
static int describe_as_owner(struct local_job *job, const struct owner *o, bool instructed)
{
	int status;
	pid_t pid;
	struct err e;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		int code = UNKNOWN;

		if (getuid() != 0 || accounts_become(o->uid, o->gid, &e))
			code = describe(job, o, instructed);
		else
			say("trouble", str_of(e.text));
		fflush(stdout);
		_exit(code);
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1 || !WIFEXITED(status))
		return UNKNOWN;
	return WEXITSTATUS(status);
}

static enum owner_status find_in_users(struct str local, struct owner *o)
{
	struct cdbfile db;
	enum owner_status status;
	struct err e;

	if (!cdbfile_open(&db, home_dir(), "users/cdb", &e)) {
		say("trouble", str_of(e.text));
		return OWNER_DATABASE;
	}
	status = userdb_find(&db, local, o, &e);
	if (status == OWNER_FOUND)
		sayf("owner", "%s (users/assign)", o->user);
	cdbfile_close(&db);
	return status;
}

static enum owner_status find_owner(struct str local, struct owner *o)
{
	char own_alias[4096];
	struct getpw_rules rules = {
		.own_only = getuid() != 0, .own_uid = getuid(), .own_gid = getgid(), .own_alias = own_alias
	};
	enum owner_status status = find_in_users(local, o);

	if (status != OWNER_NONE)
		return status;
	snprintf(own_alias, sizeof own_alias, "%s/alias", home_path());
	status = getpw_find(&rules, local, o);
	if (status == OWNER_FOUND)
		sayf("owner", "%s (%s)", o->user, strcmp(o->user, "alias") == 0 ? "no account fits" : "its account");
	return status;
}

static int explain_mailbox(const struct virtual_recipient *v)
{
	if (v->instructions.n)
		say("would", buf_str(&v->instructions));
	else
		sayf("would", "put it into the mailbox %.*s", STR_ARG(buf_str(&v->address)));
	return WILL;
}

static int explain_delivery(struct str local, struct str host, const struct owner *o)
{
	struct buf delivery = BUF_INIT(4096);
	char *local_part = mem_copy(local), *domain = mem_copy(host);
	struct local_job job = { .sender = "",
				 .describe = true,
				 .message_fd = -1,
				 .user = o->user,
				 .home = o->home,
				 .local = local_part,
				 .dash = o->dash,
				 .ext = o->ext,
				 .host = domain };
	struct err e;
	int code;

	control_line_or("defaultdelivery", "./Mailbox", &delivery, &e);
	job.default_delivery = buf_cstr(&delivery);
	sayf("home", "%s", o->home);
	code = describe_as_owner(&job, o, false);
	buf_free(&delivery);
	free(local_part);
	free(domain);
	return code;
}

static int explain_account(struct str local, struct str host)
{
	struct buf lower = BUF_INIT(SIZE_MAX);
	struct owner o = OWNER_INIT;
	int code = UNKNOWN;

	buf_add_lower(&lower, local);
	if (find_owner(buf_str(&lower), &o) == OWNER_FOUND)
		code = explain_delivery(local, host, &o);
	else
		say("trouble", STR("its owner cannot be looked up now"));
	buf_free(&lower);
	owner_free(&o);
	return code;
}

static int explain_local(struct str deliver)
{
	struct virtual_recipient v = VIRTUAL_RECIPIENT_INIT;
	size_t at = str_rchr(deliver, '@');
	struct str local = str_head(deliver, at), host = str_from(deliver, at + 1);
	enum owner_status status = OWNER_NONE;
	int code = UNKNOWN;
	struct err e;
	uid_t uid;
	gid_t gid;

	if (virtualfind_present())
		status = virtualfind_ask(getuid() == 0, local, host, &v, &uid, &gid, &e);
	if (status == OWNER_FOUND) {
		say("owner", STR("the table of mailboxes (quill user)"));
		code = explain_mailbox(&v);
	} else if (status == OWNER_NONE) {
		code = explain_account(local, host);
	} else {
		say("trouble", STR("its owner cannot be looked up now"));
	}
	virtual_recipient_free(&v);
	return code;
}

/* ---- remote ----------------------------------------------------------------------------------------- */

static bool find_artificial_route(struct str host, struct str *key, struct str *value, struct err *e)
{
	static struct control_map routes;

	if (!control_map_load("smtproutes", &routes, e))
		return false;
	for (size_t at = 0; at <= host.n; at++) {
		*key = str_from(host, at);
		if ((at == 0 || at == host.n || key->p[0] == '.') && control_map_find(&routes, *key, value))
			return true;
	}
	*value = STR("");
	return true;
}

static int explain_exchangers(struct str host)
{
	struct dns_answer *a = mem_zero(1, sizeof *a);
	int code = UNKNOWN;

	dns_query(DNS_MAIL, host, DNS_TIMEOUT_MS, a);
	switch (a->outcome) {
	case DNS_FOUND:
		code = WILL;
		for (size_t i = 0; i < a->n; i++)
			if (a->records[i].type == DNS_MX)
				sayf("exchanger", "%.*s, preference %u", STR_ARG(a->records[i].name),
				     a->records[i].preference);
		break;
	case DNS_TEMPORARY:
		sayf("trouble", "its exchangers are not known now: %.*s", STR_ARG(a->why));
		break;
	case DNS_BAD_MX:
		say("trouble", STR("no usable mail exchanger"));
		break;
	default:
		code = WILL_NOT;
		say("would", STR("bounce: no such domain, or it takes no mail"));
	}
	dns_answer_free(a);
	free(a);
	return code;
}

static int explain_remote(struct str deliver)
{
	struct str host = str_from(deliver, str_rchr(deliver, '@') + 1), key, value;
	struct err e;

	if (!find_artificial_route(host, &key, &value, &e)) {
		say("trouble", str_of(e.text));
		return UNKNOWN;
	}
	if (value.n == 0)
		return explain_exchangers(host);
	sayf("would", "send it to %.*s: control/smtproutes has %.*s:%.*s", STR_ARG(value), STR_ARG(key),
	     STR_ARG(value));
	return WILL;
}

/* ---- the command --------------------------------------------------------------------------------------- */

static int explain(const struct route_tables *t, const char *text)
{
	struct buf base = BUF_INIT(SIZE_MAX), deliver = BUF_INIT(SIZE_MAX);
	struct str address = str_of(text);
	enum route_channel channel;
	int code;

	if (!queue_address_acceptable(address)) {
		printf("%s: that cannot be an address\n", "?");
		return WILL_NOT;
	}
	route_base_address(t, address, &base);
	channel = route_address(t, address, &deliver).channel;
	queue_put_text(&deliver, STR(""), "");
	printf("%.*s\n", STR_ARG(buf_str(&base)));
	if (!str_eq(address, buf_str(&base)))
		sayf("given as", "%.*s (control/envnoathost, control/percenthack)", STR_ARG(address));
	explain_route(t, buf_str(&base), channel, buf_str(&deliver));
	code = channel == ROUTE_LOCAL ? explain_local(buf_str(&deliver)) : explain_remote(buf_str(&deliver));
	say("result", code == WILL       ? STR("mail for it is delivered")
		      : code == WILL_NOT ? STR("mail for it bounces")
					 : STR("that cannot be said now; mail for it waits"));
	buf_free(&base);
	buf_free(&deliver);
	return code;
}

int quill_why(int argc, char **argv)
{
	struct route_tables routes;
	struct err e;
	int code = 0;

	if (argc > 2 && strcmp(argv[0], "-C") == 0) {
		setenv("QMAILHOME", argv[1], 1);
		argc -= 2;
		argv += 2;
	}
	if (argc < 1)
		return quill_fail(100, "why: which address?");
	if (!home_enter(&e) || !route_load(&routes, &e))
		return quill_fail(err_exit_code(&e), "why: %s", e.text);
	for (int i = 0; i < argc; i++) {
		int one = explain(&routes, argv[i]);

		code = one > code ? one : code;
	}
	route_free(&routes);
	return code;
}
