/*
 * sendmail: the command that other programs call to send mail (contract §14.1).
 *
 * Understands sendmail's options, and does what qmail-inject does or becomes
 * qmail-smtpd or qmail-qread. It does not execute qmail-inject: starting a
 * program costs more than all the rest of a submission. Options that ask for what this mail system does
 * not have, and that a message can do without, are accepted and ignored.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "inject/inject.h"
#include "mail/dsn.h"
#include "mail/xtext.h"
#include "sys/home.h"
#include "sys/options.h"

static const char usage[] = "sendmail: usage: sendmail [ -t ] [ -fsender ] [ -Fname ] [ -bp ] [ -bs ] [ arg ... ]\n";

/*
 * Ignored, without argument: G I U T c i l m n s x; with one: A B C D L M O Q X e h o p; with one that
 * must be attached: E J d q.
 */
static const char options[] = "tf:r:F:b:"
			      "GIUTcilmnsvx"
			      "A:B:C:D:L:M:N:O:Q:R:V:X:e:h:o:p:"
			      "E::J::d::q::";

enum mode { MODE_MAIL, MODE_SMTP, MODE_QUEUE, MODE_ALIASES, MODE_VERIFY };

struct request {
	enum mode mode;
	bool header_recipients; /* -t */
	bool run_queue;         /* -q */
	bool verbose;           /* -v */
	char *sender;           /* -f, or NULL */
	const char *name;       /* -F, or NULL */
	char **recipients;
	uint8_t ret, notify; /* -R, -N */
	struct buf envid;    /* -V, in xtext */
};

static void die(int code, const char *fmt, ...) __attribute__((noreturn, format(printf, 2, 3)));

static void die(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	exit(code);
}

static enum mode mode_of(const char *arg)
{
	switch (*arg) {
	case 'm':
	case 'a':
		return MODE_MAIL;
	case 'p':
		return MODE_QUEUE;
	case 's':
		return MODE_SMTP;
	case 'i':
		return MODE_ALIASES;
	case 'd':
	case 'D':
		die(100,
		    "sendmail: fatal: -b%c: sendmail is no daemon here; qmail-start runs the mail system and "
		    "qmail-smtpd receives mail\n%s",
		    *arg, usage);
	case 'v':
		return MODE_VERIFY;
	case 't':
		die(100, "sendmail: fatal: -b%c: there is no address test mode\n%s", *arg, usage);
	default:
		die(100, "%s", usage);
	}
}

/* An identifier that is xtext stays as it is, as other sendmails want it; others become xtext. */
static void read_envid(struct request *r, struct str id)
{
	buf_free(&r->envid);
	r->envid = BUF_INIT(DSN_ENVID_MAX);
	if (dsn_envid_ok(id))
		buf_add(&r->envid, id);
	else
		xtext_encode(&r->envid, id);
	if (!buf_ok(&r->envid) || !dsn_envid_ok(buf_str(&r->envid)))
		die(100, "sendmail: fatal: -V wants 1 to %d printable characters\n%s", DSN_ENVID_MAX, usage);
}

static void read_notification(struct request *r, int option, struct str value)
{
	if (option == 'V')
		read_envid(r, value);
	else if (option == 'N' && !dsn_parse_notify(value, &r->notify))
		die(100, "sendmail: fatal: -N wants never, or some of success, failure and delay\n%s", usage);
	else if (option == 'R' && !dsn_parse_ret(value, &r->ret))
		die(100, "sendmail: fatal: -R wants full or hdrs\n%s", usage);
}

static struct request read_options(int argc, char **argv)
{
	struct request r = { 0 };
	int c;

	while ((c = options_next(argc, argv, options)) != -1) {
		switch (c) {
		case 't':
			r.header_recipients = true;
			break;
		case 'f':
		case 'r':
			r.sender = optarg;
			break;
		case 'F':
			r.name = optarg;
			break;
		case 'b':
			r.mode = mode_of(optarg);
			break;
		case 'N':
		case 'R':
		case 'V':
			read_notification(&r, c, str_of(optarg));
			break;
		case 'I':
			r.mode = MODE_ALIASES;
			break;
		case 'q':
			r.run_queue = true;
			break;
		case 'v':
			r.verbose = true;
			break;
		case '?':
			die(100, "%s", usage);
		default:
			break;
		}
	}
	r.recipients = argv + optind;
	return r;
}

/* "<a@b>" is a@b; "<>" is the empty address. Shortens the string in place. */
static char *without_brackets(char *address)
{
	size_t n = strlen(address);

	if (n < 2 || address[0] != '<' || address[n - 1] != '>')
		return address;
	address[n - 1] = 0;
	return address + 1;
}

/* The From field follows the sender: what the environment says of somebody else does not count. */
static void set_identity(const char *sender)
{
	static const char *const others[] = { "QMAILNAME", "MAILNAME", "NAME", "QMAILHOST", "MAILHOST" };
	struct str s = str_of(sender);
	size_t at = str_rchr(s, '@');
	char *user;

	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		unsetenv(others[i]);
	if (s.n == 0)
		return;
	user = mem_copy(str_head(s, at));
	setenv("QMAILUSER", user, 1);
	free(user);
	if (at < s.n)
		setenv("QMAILHOST", sender + at + 1, 1);
}

static void become(const char *program, char **argv) __attribute__((noreturn));

static void become(const char *program, char **argv)
{
	execv(home_program(program), argv);
	die(111, "sendmail: fatal: unable to run %s\n", program);
}

static void run_smtp(void)
{
	static const char *const session[][2] = {
		{ "RELAYCLIENT", "" },
		{ "DATABYTES", "0" },
		{ "PROTO", "TCP" },
		{ "TCPLOCALIP", "127.0.0.1" },
		{ "TCPLOCALHOST", "localhost" },
		{ "TCPREMOTEIP", "127.0.0.1" },
		{ "TCPREMOTEHOST", "localhost" },
		{ "TCPREMOTEINFO", "sendmail-bs" },
	};
	static char name[] = "qmail-smtpd";

	if (getenv("PROTO") == NULL)
		for (size_t i = 0; i < sizeof session / sizeof *session; i++)
			setenv(session[i][0], session[i][1], 1);
	become(name, (char *[]){ name, NULL });
}

/* What would happen to mail for each address. */
static _Noreturn void verify(char **addresses)
{
	static char name[] = "quill", command[] = "why";
	size_t n = 0;
	char **argv;

	while (addresses[n])
		n++;
	if (n == 0)
		die(100, "%s", usage);
	argv = mem_array(NULL, n + 3, sizeof *argv);
	argv[0] = name;
	argv[1] = command;
	for (size_t i = 0; i <= n; i++)
		argv[i + 2] = i < n ? without_brackets(addresses[i]) : NULL;
	become(name, argv);
}

/* For -v: what becomes of the message. */
static void show(char letter, struct str address, struct str text)
{
	static bool told;
	struct buf line = BUF_INIT(SIZE_MAX);

	if (letter == 'E' && told)
		return;
	told = true;
	if (letter == 'E') {
		buf_addz(&line, "delivered");
	} else {
		buf_add_visible(&line, address);
		buf_addz(&line, letter == 'K' ? ": delivered" : letter == 'D' ? ": failed: " : ": put off: ");
		for (size_t i = 0; i < text.n; i++)
			if (text.p[i] != '\n' || i + 1 < text.n)
				buf_addc(&line, (unsigned char)text.p[i] < 32 ? ' ' : text.p[i]);
	}
	buf_addc(&line, '\n');
	fwrite(line.p, 1, line.n, stdout);
	fflush(stdout);
	buf_free(&line);
}

static int send_mail(const struct request *r)
{
	struct inject_request request = {
		.recipients_from = r->header_recipients ? INJECT_BOTH : INJECT_ARGUMENTS,
		/* PHP's mail() writes its header so. qmail would take the empty line behind it for text. */
		.crlf = true,
		.sender = r->sender ? without_brackets(r->sender) : NULL,
		.watch = r->verbose ? show : NULL,
		.recipients = (const char *const *)r->recipients,
		.ret = r->ret,
		.notify = r->notify,
		.envid = buf_str(&r->envid),
	};
	struct err e;

	if (request.sender)
		set_identity(request.sender);
	if (r->name)
		setenv("MAILNAME", r->name, 1);
	for (size_t i = 0; r->recipients[i]; i++)
		r->recipients[i] = without_brackets(r->recipients[i]);
	if (inject_run(&request, &e))
		return 0;
	fprintf(stderr, "qmail-inject: fatal: %s\n", e.text);
	return err_exit_code(&e);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int main(int argc, char **argv)
{
	static char qread[] = "qmail-qread";
	const char *called = argc ? base_name(argv[0]) : "sendmail";
	struct request r;
	struct err e;
	int code;

	if (!home_enter(&e))
		die(111, "sendmail: fatal: %s\n", e.text);
	if (strcmp(called, "mailq") == 0)
		become(qread, (char *[]){ qread, NULL });
	r = read_options(argc, argv);
	if (strcmp(called, "newaliases") == 0)
		r.mode = MODE_ALIASES;
	switch (r.mode) {
	case MODE_ALIASES:
		die(100, "sendmail: fatal: please use fastforward/newaliases instead\n");
	case MODE_QUEUE:
		become(qread, (char *[]){ qread, NULL });
	case MODE_SMTP:
		run_smtp();
		break;
	case MODE_VERIFY:
		verify(r.recipients);
	case MODE_MAIL:
		break;
	}
	/* The queue runs by itself. "sendmail -q" alone must not wait for a message. */
	if (r.run_queue && !r.header_recipients && *r.recipients == NULL)
		return 0;
	code = send_mail(&r);
	buf_free(&r.envid);
	return code;
}
