/*
 * tcpclient [ options ] HOST PORT PROGRAM…: connects, and runs the program
 * with the connection on descriptors 6 and 7 (contract-companions §1.6).
 *
 * Beyond the old tcpclient: IPv6. A host's IPv4 addresses are tried first; -4
 * and -6 allow only one family.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "filter/childenv.h"
#include "filter/options.h"
#include "filter/tool.h"
#include "sys/clock.h"
#include "ucspi/connection.h"
#include "ucspi/dial.h"
#include "ucspi/hostaddr.h"

#define ME "tcpclient"
#define LETTERS "dDvqQhHrRi:p:t:T:l:46"
#define ARGUMENTS                                                                                                  \
	"[ -hHrRdDqQv46 ] [ -i localip ] [ -p localport ] [ -T timeoutconn ] [ -l localname ] [ -t timeoutinfo ] " \
	"host port program"

struct tcpclient {
	unsigned verbosity; /* 0 nothing, 1 trouble, 2 everything */
	bool no_delay, bind;
	struct inetaddr local;
	uint32_t seconds[2]; /* for each address, first and second round */
	struct connection_wishes names;
	enum hostaddr_family family;
	const char *host;
	uint16_t port;
	char **program;
};

static _Noreturn void usage(const struct tcpclient *t)
{
	if (t->verbosity)
		tool_usage(ME, ARGUMENTS);
	exit(100);
}

static _Noreturn void fatal(const struct tcpclient *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static _Noreturn void fatal(const struct tcpclient *t, const char *fmt, ...)
{
	char text[1000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (t->verbosity)
		tool_die(ME, 111, "%s", text);
	exit(111);
}

static void timeouts(struct tcpclient *t, const char *value)
{
	const char *plus = strchr(value, '+');

	t->seconds[0] = (uint32_t)options_number(value, 1000000);
	if (plus)
		t->seconds[1] = (uint32_t)options_number(plus + 1, 1000000);
}

static void local_ip(struct tcpclient *t, const char *value)
{
	uint16_t port = t->local.port;

	if (!inetaddr_parse_ip(str_of(value), &t->local))
		usage(t);
	t->local.port = port;
	t->bind = true;
}

static bool option(struct tcpclient *t, int c, const char *value)
{
	switch (c) {
	case 'q':
	case 'Q':
	case 'v':
		t->verbosity = c == 'q' ? 0 : c == 'Q' ? 1 : 2;
		return true;
	case 'h':
	case 'H':
		t->names.remote_name = c == 'h';
		return true;
	case 'r':
	case 'R':
		t->names.info = c == 'r';
		return true;
	case 'd':
	case 'D':
		t->no_delay = c == 'D';
		return true;
	case '4':
	case '6':
		t->family = c == '4' ? HOSTADDR_V4 : HOSTADDR_V6;
		return true;
	case 'i':
		local_ip(t, value);
		return true;
	case 'p':
		t->local.port = (uint16_t)options_number(value, 65535);
		t->bind = t->bind || t->local.port;
		return true;
	case 't':
		t->names.info_seconds = (uint32_t)options_number(value, 1000000);
		return true;
	case 'T':
		timeouts(t, value);
		return true;
	case 'l':
		t->names.local_name = value;
		return true;
	}
	return false;
}

static void read_arguments(struct tcpclient *t, int argc, char **argv)
{
	for (int c; (c = options_next(argc, argv, LETTERS)) != -1;)
		if (!option(t, c, optarg))
			usage(t);
	argv += optind;
	if (argc - optind < 3)
		usage(t);
	t->host = argv[0];
	t->program = argv + 2;
	if (!hostaddr_port(argv[1], &t->port))
		fatal(t, "unable to figure out port number for %s", argv[1]);
}

static void find_addresses(const struct tcpclient *t, struct hostaddr *list)
{
	const char *host = t->host;
	struct err e;

	if (*host == 0 || strcmp(host, "0") == 0)
		host = t->family == HOSTADDR_V6 ? "::1" : "127.0.0.1";
	if (!hostaddr_find(str_of(host), t->family, list, &e))
		fatal(t, "temporarily unable to figure out IP address for %s: %s", t->host, e.text);
	if (list->n == 0)
		fatal(t, "no IP address for %s", t->host);
}

/* An address to bind to that fits the family of the other end. */
static const struct inetaddr *bind_address(const struct tcpclient *t, const struct inetaddr *to, struct inetaddr *any)
{
	if (!t->bind)
		return NULL;
	*any = (struct inetaddr){ .v6 = to->v6, .port = t->local.port };
	return t->local.v6 == to->v6 ? &t->local : any;
}

/*
 * Tries each address for so many seconds. Those that did not answer in time
 * stay in the list when there is another round.
 */
static int one_round(const struct tcpclient *t, struct hostaddr *list, uint32_t seconds, bool another)
{
	struct hostaddr slow = { .n = 0 };
	struct inetaddr any;
	char text[INETADDR_TEXT];
	bool bound;

	for (size_t i = 0; i < list->n; i++) {
		struct inetaddr *to = &list->a[i];
		int fd;

		to->port = t->port;
		fd = dial(to, bind_address(t, to, &any), clock_monotonic_ms() + 1000 * (int64_t)seconds, &bound);
		if (fd != -1)
			return fd;
		if (!bound)
			fatal(t, "unable to bind socket: %s", errno_text(errno));
		if (another && errno == ETIMEDOUT) {
			slow.a[slow.n++] = *to;
			continue;
		}
		inetaddr_text(to, text);
		if (t->verbosity)
			fprintf(stderr, "%s: unable to connect to %s port %u: %s\n", ME, text, (unsigned)t->port,
				errno_text(errno));
	}
	*list = slow;
	return -1;
}

static int connect_any(const struct tcpclient *t)
{
	uint32_t first = t->seconds[0], second = t->seconds[1];
	struct hostaddr list;
	int fd = -1;

	find_addresses(t, &list);
	if (list.n == 1) {
		first += second;
		second = 0;
	}
	if (first)
		fd = one_round(t, &list, first, second > 0);
	if (fd == -1 && second)
		fd = one_round(t, &list, second, false);
	if (fd == -1)
		exit(111);
	return fd;
}

static void describe(const struct tcpclient *t, int fd, struct childenv *env)
{
	struct connection c = CONNECTION_INIT;
	int on = 1;

	if (t->no_delay)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (!connection_local(&c, fd))
		fatal(t, "unable to get local address: %s", errno_text(errno));
	if (!connection_remote(&c, fd))
		fatal(t, "unable to get remote address: %s", errno_text(errno));
	if (t->verbosity >= 2)
		fprintf(stderr, "%s: connected to %s port %u\n", ME, c.remote_ip, (unsigned)c.remote.port);
	connection_name(&c, &t->names);
	connection_environment(&c, env);
}

int main(int argc, char **argv)
{
	struct tcpclient t = {
		.verbosity = 1,
		.seconds = { 2, 58 },
		.names = { .remote_name = true, .info = true, .info_seconds = 26 },
	};
	struct childenv env = childenv_start();
	int fd;

	read_arguments(&t, argc, argv);
	close(6);
	close(7);
	signal(SIGPIPE, SIG_IGN);
	fd = connect_any(&t);
	describe(&t, fd, &env);
	/* dup2 does nothing where the connection is on 6 already: then it would be closed on exec. */
	fd = fd == 6 || fd == 7 ? dup(fd) : fd;
	if (fd == -1 || dup2(fd, 6) == -1)
		fatal(&t, "unable to set up descriptor 6: %s", errno_text(errno));
	if (dup2(fd, 7) == -1)
		fatal(&t, "unable to set up descriptor 7: %s", errno_text(errno));
	if (fd != 6 && fd != 7)
		close(fd);
	signal(SIGPIPE, SIG_DFL);
	childenv_run(&env, t.program[0], t.program);
	fatal(&t, "unable to run %s: %s", t.program[0], errno_text(errno));
}
