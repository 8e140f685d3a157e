/*
 * qmail-popup [-ST] HOSTNAME PROGRAM [ARGUMENT ...]
 * qmail-popup [-ST] [-x RULES.CDB] -l ADDRESS:PORT ... HOSTNAME PROGRAM [ARGUMENT ...]
 * qmail-popup [-ST] [-x RULES.CDB] -d [HOSTNAME PROGRAM [ARGUMENT ...]]
 *
 * POP3 until the client has logged in (contract §15.1): PROGRAM, of the
 * checkpassword interface, gets name and password on descriptor 3. One client
 * on descriptors 0 and 1, or, with -l, all who come to these addresses, or with
 * -d to those in control/pop3listen; it is for the mailboxes without accounts
 * then, unless PROGRAM says otherwise. A session ends with exit code 1,
 * whatever came of it.
 *
 * -x: the rules of tcprules, else those in the file that control/pop3rules names.
 * -S: TLS from the beginning. -T: no password without TLS. The certificate is
 * control/servercert.pem.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/control.h"
#include "qmail-popup/popup.h"
#include "serving/admission.h"
#include "serving/listening.h"
#include "sys/accounts.h"
#include "sys/clientenv.h"
#include "sys/home.h"
#include "sys/io.h"
#include "sys/service.h"

#define USAGE "-ERR usage: popup hostname subprogram\r\n"
#define NOBODY 65534
#define CERTIFICATE "servercert.pem"

static const char *const files[] = { CERTIFICATE };

struct listening {
	struct popup popup;
	struct listener listener;
	struct admission admission;
	uint64_t fingerprint; /* of the certificate's file */
};

/* ---- setting up ------------------------------------------------------------------- */

static bool read_certificate(struct popup *p, struct err *e)
{
	struct buf pem = BUF_INIT(CONTROL_FILE_MAX);
	bool present, ok = control_text(CERTIFICATE, &pem, &present, e);
	struct tls_server_context *fresh = NULL;

	if (ok && present) {
		fresh = tls_server_context_new(buf_str(&pem), STR(""), e);
		ok = fresh != NULL || err_context(e, "control/" CERTIFICATE);
	}
	buf_free_secret(&pem);
	if (!ok)
		return false;
	tls_server_context_free(p->tls);
	p->tls = fresh;
	return true;
}

/* Who talks with strangers. Machines without the accounts have nobody. */
static void choose_user(struct popup *p)
{
	struct accounts a;
	struct err e;
	bool known = accounts_load(&a, &e);

	p->change_user = getuid() == 0;
	p->uid = known ? a.uid[ACCOUNT_DAEMON] : NOBODY;
	p->gid = known ? a.gid_nofiles : NOBODY;
}

/* Without a home there is no certificate; everything else works. */
static bool set_up(struct popup *p, struct err *e)
{
	choose_user(p);
	if (home_open(e) && !read_certificate(p, e))
		return false;
	if ((p->tls_at_once || p->tls_required) && p->tls == NULL)
		return err_perm(e, "TLS needs a certificate in %s/control/" CERTIFICATE,
				home_dir() == -1 ? "the home" : home_path());
	return true;
}

/* ---- one client ------------------------------------------------------------------- */

/* Under inetd, descriptor 2 is the client. */
static bool apart(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && (x.st_dev != y.st_dev || x.st_ino != y.st_ino);
}

static int one_session(struct popup *p)
{
	const char *client = clientenv("REMOTEIP");
	struct err e;

	p->log = apart(1, 2);
	if (!set_up(p, &e)) {
		if (p->log)
			service_log(POPUP_NAME, "fatal: %s", e.text);
		io_write_all(1, "-ERR unable to read controls\r\n", 30);
		return 1;
	}
	popup_session(p, 0, 1, client ? client : "unknown");
	return 1;
}

/* ---- listening -------------------------------------------------------------------- */

static void log_line(void *ctx, const char *line)
{
	(void)ctx;
	service_log(POPUP_NAME, "%s", line);
}

/* What tcpserver would tell the program. */
static void describe_client(void *ctx)
{
	setenv("PROTO", "TCP", 1);
	setenv("TCPREMOTEIP", ctx, 1);
}

static bool admit(struct listening *l, int fd, char *ip)
{
	struct rule_client client = { .ip = str_of(ip) };
	struct connlimit connections = { .from_client = (unsigned)l->listener.from_client };
	const char *reply;
	struct err e;
	enum access answer = admission_ask(&l->admission, &client, describe_client, ip, &e);

	if (answer == ACCESS_ALLOWED && admission_within(&connections))
		return true;
	if (answer == ACCESS_TROUBLE)
		reply = "-ERR unable to read the rules of this server\r\n";
	else if (answer == ACCESS_DENIED)
		reply = "-ERR your address is not let in here\r\n";
	else
		reply = l->listener.config.busy_client;
	service_log(POPUP_NAME, "pid %ld %s [%s]", (long)getpid(),
		    answer == ACCESS_TROUBLE ? e.text : "denied by the rules:", ip);
	(void)send(fd, reply, strlen(reply), MSG_NOSIGNAL | MSG_DONTWAIT);
	return false;
}

static int serve(void *ctx, int fd, const struct inetaddr *peer)
{
	struct listening *l = ctx;
	char ip[INETADDR_TEXT];

	inetaddr_text(peer, ip);
	signal(SIGPIPE, SIG_IGN);
	if (!admit(l, fd, ip))
		return 1;
	popup_session(&l->popup, fd, fd, ip);
	return 1;
}

static void refresh(void *ctx)
{
	struct listening *l = ctx;
	uint64_t now = control_fingerprint(files, 1);
	struct err e;

	if (home_dir() == -1 || now == l->fingerprint)
		return;
	l->fingerprint = now;
	if (!read_certificate(&l->popup, &e))
		service_log(POPUP_NAME, "keeping the certificate of before: %s", e.text);
	else
		service_log(POPUP_NAME, "certificate read again");
}

static int listen_at(struct listening *l, const struct str *where, size_t n)
{
	const struct listening_place place = { POPUP_NAME, where, n, "pop3listen", "*:110" };
	struct listener_config config = {
		.io_timeout = 1200,
		.grace = 5,
		.busy = "-ERR too many connections, try again later\r\n",
		.busy_client = "-ERR too many connections from your address\r\n",
		.serve = serve,
		.reload = refresh,
		.refresh = refresh,
		.log = log_line,
		.ctx = l,
	};
	struct err e;

	l->popup.log = true;
	l->listener = LISTENER_INIT;
	if (set_up(&l->popup, &e) && listening_limits(&config, "concurrencypop3", &e)) {
		l->fingerprint = home_dir() == -1 ? 0 : control_fingerprint(files, 1);
		if (admission_open(&l->admission, "pop3rules", &e) && listening_open(&l->listener, &place, &e) &&
		    listener_run(&l->listener, &config, &e)) {
			listener_close(&l->listener);
			return 0;
		}
	}
	fprintf(stderr, POPUP_NAME ": fatal: %s\n", e.text);
	return err_exit_code(&e);
}

/* What -d needs and the command line does not say. */
static bool add_defaults(struct popup *p, struct err *e)
{
	static const char *words[] = { NULL, NULL, "Maildir", NULL };
	struct buf me = BUF_INIT(CONTROL_FILE_MAX);
	bool ok = home_enter(e) && control_line_or_me("me", "localhost", &me, e);

	if (ok && p->hostname == NULL) {
		words[0] = mem_copy(str_of(home_program("checkpassword-mailbox")));
		words[1] = mem_copy(str_of(home_program("qmail-pop3d")));
		p->hostname = mem_copy(buf_str(&me));
		p->program = (char *const *)words;
	}
	buf_free(&me);
	return ok;
}

static int from_control(struct listening *l)
{
	struct err e;

	if (add_defaults(&l->popup, &e))
		return listen_at(l, NULL, 0);
	fprintf(stderr, POPUP_NAME ": fatal: %s\n", e.text);
	return err_exit_code(&e);
}

int main(int argc, char **argv)
{
	static struct listening l;
	struct str where[LISTENER_SOCKETS_MAX];
	size_t n = 0;
	const char *rules = NULL;
	struct err e;
	bool usage = false, controlled = false;

	io_open_standard_fds();
	opterr = 0;
	for (int opt; (opt = getopt(argc, argv, "+dl:STx:")) != -1;) {
		if (opt == 'S')
			l.popup.tls_at_once = true;
		else if (opt == 'T')
			l.popup.tls_required = true;
		else if (opt == 'd')
			controlled = true;
		else if (opt == 'x')
			rules = optarg;
		else if (opt == 'l' && n < LISTENER_SOCKETS_MAX)
			where[n++] = str_of(optarg);
		else
			usage = true;
	}
	argc -= optind;
	argv += optind;
	if (usage || (controlled && n > 0) || (rules && !controlled && n == 0) ||
	    (argc < 2 && !(controlled && argc == 0))) {
		io_write_all(1, USAGE, sizeof USAGE - 1);
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	l.admission = ADMISSION_INIT;
	if (rules && !admission_option(&l.admission, rules, &e)) {
		fprintf(stderr, POPUP_NAME ": fatal: %s\n", e.text);
		return 111;
	}
	l.popup.hostname = argc ? argv[0] : NULL;
	l.popup.program = argv + 1;
	if (controlled)
		return from_control(&l);
	return n ? listen_at(&l, where, n) : one_session(&l.popup);
}
