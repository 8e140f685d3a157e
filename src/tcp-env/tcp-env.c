/*
 * tcp-env [ -rR ] [ -t SECONDS ] PROGRAM…: describes the TCP connection on
 * descriptor 0 in the environment, then becomes the program (contract §17.6).
 * Where PROTO is TCP or TCP6 already, somebody else has done so. Exit 111 for trouble.
 *
 * -R does not ask the remote host who opened the connection (TCPREMOTEINFO); -r does.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "base/mem.h"
#include "dns/dnsclient.h"
#include "filter/tool.h"
#include "listener/clientname.h"
#include "sys/home.h"
#include "sys/options.h"
#include "ucspi/ident.h"

#define ME "tcp-env"
#define IDENT_SECONDS 30

static void set(const char *name, const char *value)
{
	if (value ? setenv(name, value, 1) == -1 : unsetenv(name) == -1)
		tool_die(ME, EXIT_TEMPORARY, "out of memory");
}

/* The name of an address, or NULL; *name is its memory. */
static const char *host_of(const struct inetaddr *a, struct buf *name)
{
	struct dns_answer *answer = mem_zero(1, sizeof *answer);
	struct buf reverse = BUF_INIT(100);
	const char *host = NULL;
	struct err e;

	clientname_reverse(a, &reverse);
	if (home_open(&e))
		dns_query(DNS_PTR, buf_str(&reverse), DNS_TIMEOUT_MS, answer);
	else
		answer->outcome = DNS_TEMPORARY;
	buf_clear(name);
	if (answer->outcome == DNS_FOUND && answer->n) {
		buf_add_lower(name, answer->records[0].name);
		host = buf_cstr(name);
	} else if (answer->outcome == DNS_TEMPORARY) {
		host = "softdnserror";
	}
	dns_answer_free(answer);
	free(answer);
	buf_free(&reverse);
	return host;
}

static struct inetaddr describe(const char *side, int (*get)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof ss;
	struct buf host = BUF_INIT(DNS_NAME_MAX + 1);
	struct inetaddr a;
	char name[32], text[INETADDR_TEXT];

	if (get(0, (struct sockaddr *)&ss, &n) == -1)
		tool_die(ME, EXIT_TEMPORARY, "descriptor 0: %s", errno_text(errno));
	if (!inetaddr_from((const struct sockaddr *)&ss, &a))
		tool_die(ME, EXIT_TEMPORARY, "descriptor 0: not a TCP connection");
	inetaddr_text(&a, text);
	snprintf(name, sizeof name, "TCP%sIP", side);
	set(name, text);
	snprintf(text, sizeof text, "%u", a.port);
	snprintf(name, sizeof name, "TCP%sPORT", side);
	set(name, text);
	snprintf(name, sizeof name, "TCP%sHOST", side);
	set(name, host_of(&a, &host));
	buf_free(&host);
	return a;
}

static void describe_connection(bool ask, unsigned seconds)
{
	struct inetaddr local = describe("LOCAL", getsockname), remote = describe("REMOTE", getpeername);
	struct buf info = BUF_INIT(IDENT_REPLY_MAX + 1);

	set("PROTO", "TCP");
	set("TCPREMOTEINFO", ask && ident_ask(&remote, &local, seconds, &info) ? buf_cstr(&info) : NULL);
	buf_free(&info);
}

int main(int argc, char **argv)
{
	const char *proto = getenv("PROTO");
	unsigned seconds = IDENT_SECONDS;
	bool ask = true;
	int c;

	while ((c = options_next(argc, argv, "rRt:")) != -1) {
		if (c == '?')
			tool_usage(ME, "[ -rR ] [ -ttimeout ] program [ arg ... ]");
		if (c == 't')
			seconds = (unsigned)options_number(optarg, 1000000);
		else
			ask = c == 'r';
	}
	if (optind >= argc)
		tool_usage(ME, "[ -rR ] [ -ttimeout ] program [ arg ... ]");
	if (proto == NULL || (strcmp(proto, "TCP") != 0 && strcmp(proto, "TCP6") != 0))
		describe_connection(ask, seconds);
	execvp(argv[optind], argv + optind);
	tool_die(ME, EXIT_TEMPORARY, "unable to run %s: %s", argv[optind], errno_text(errno));
}
