/*
 * qmail-smtpd: receives mail by SMTP (contract §12).
 *
 *   qmail-smtpd                       one session on descriptors 0 and 1
 *   qmail-smtpd -d                    listens on the addresses in control/smtplisten
 *   qmail-smtpd -l ADDRESS:PORT ...   listens on these
 *
 * A session ends with 0 after QUIT, else 1. A listener that cannot start
 * says why in one line and ends with 111 or, where trying again is of no
 * use, 100.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/mem.h"
#include "qmail-smtpd/smtpd_client.h"
#include "qmail-smtpd/smtpd_daemon.h"
#include "qmail-smtpd/smtpd_serve.h"
#include "sandbox/sandbox.h"
#include "sys/home.h"
#include "sys/io.h"
#include "sys/options.h"

#define UNABLE "421 unable to read controls (#4.3.0)\r\n"

/* Of a single session. */
static const struct sandbox_rights rights = {
	.may = SANDBOX_BRIEF | SANDBOX_UNIX | SANDBOX_INTERFACES | SANDBOX_QUEUE_PROGRAM,
	.memory = 512 * SANDBOX_MIB,
	.paths = { { "control", SANDBOX_READ } },
};

/* Only sockets can; a pipe is waited for with poll. */
static bool set_socket_timeouts(uint64_t seconds)
{
	struct timeval tv = { .tv_sec = (time_t)seconds };

	return setsockopt(0, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv) == 0 &&
	       setsockopt(1, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv) == 0;
}

/* Nothing is logged here: under inetd, descriptor 2 is the connection. */
static int one_session(void)
{
	struct smtp_policy policy;
	struct smtpd_client client;
	struct smtpd_connection c = { .in = 0, .out = 1, .policy = &policy, .client = &client.client };
	struct err e;
	int code;

	signal(SIGPIPE, SIG_IGN);
	smtpd_client_from_environment(&client, 0);
	if (!home_enter(&e) || !smtp_policy_load(&policy, &e) || !sandbox_enter(&rights, &e)) {
		io_write_all(1, UNABLE, sizeof UNABLE - 1);
		return 1;
	}
	c.timed = set_socket_timeouts(policy.timeout);
	code = smtpd_serve(&c);
	smtp_policy_free(&policy);
	return code;
}

static int usage(void)
{
	fprintf(stderr, "qmail-smtpd: usage: qmail-smtpd [ -d | -l ADDRESS:PORT ... ] [ -x rules.cdb ]\n");
	return 100;
}

int main(int argc, char **argv)
{
	struct str addresses[64];
	size_t n = 0;
	const char *rules = NULL;
	bool listen_here = false;
	struct err e;

	for (int opt; (opt = options_next(argc, argv, "dl:x:")) != -1;) {
		if (opt == '?' || n == sizeof addresses / sizeof *addresses)
			return usage();
		if (opt == 'x')
			rules = optarg;
		else
			listen_here = true;
		if (opt == 'l')
			addresses[n++] = str_of(optarg);
	}
	if (optind < argc || (rules && !listen_here))
		return usage();
	io_open_standard_fds();
	if (!listen_here)
		return one_session();
	if (smtpd_daemon(addresses, n, rules, &e))
		return 0;
	fprintf(stderr, "qmail-smtpd: fatal: %s\n", e.text);
	return err_exit_code(&e);
}
