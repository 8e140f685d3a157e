#include "tcpcaller/tcpcaller.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "filter/tool.h"
#include "sys/clock.h"
#include "sys/options.h"
#include "ucspi/dial.h"

/* Word for word as the original has it; the manual page has the additions. */
#define ARGUMENTS                                                                                                \
	"[ -hHrRdDqQv ] [ -i localip ] [ -p localport ] [ -T timeoutconn ] [ -l localname ] [ -t timeoutinfo ] " \
	"host port program"

static _Noreturn void usage(const struct tcpcaller *t)
{
	tool_usage(t->name, ARGUMENTS);
}

/* With -q nothing is said; but of options that make no sense. */
static _Noreturn void too_few(const struct tcpcaller *t)
{
	if (t->common.verbosity)
		usage(t);
	exit(100);
}

_Noreturn void tcpcaller_fatal(const struct tcpcaller *t, const char *fmt, ...)
{
	char text[1000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (t->common.verbosity)
		tool_die(t->name, 111, "%s", text);
	exit(111);
}

static void timeouts(struct tcpcaller *t, const char *value)
{
	const char *plus = strchr(value, '+');

	t->seconds[0] = (uint32_t)options_number(value, 1000000);
	if (plus)
		t->seconds[1] = (uint32_t)options_number(plus + 1, 1000000);
}

static void local_ip(struct tcpcaller *t, const char *value)
{
	uint16_t port = t->local.port;

	if (!inetaddr_parse_ip(str_of(value), &t->local))
		usage(t);
	t->local.port = port;
	t->bind = true;
}

static bool option(struct tcpcaller *t, int c, const char *value)
{
	switch (c) {
	case 'i':
		local_ip(t, value);
		return true;
	case 'p':
		t->local.port = (uint16_t)options_number(value, 65535);
		t->bind = t->bind || t->local.port;
		return true;
	case 'T':
		timeouts(t, value);
		return true;
	}
	return false;
}

void tcpcaller_arguments(struct tcpcaller *t, int argc, char **argv, const char *letters,
			 bool (*more)(struct tcpcaller *t, int c, const char *value))
{
	for (int c; (c = options_next(argc, argv, letters)) != -1;)
		if (!useroptions_take(&t->common, c, optarg) && !option(t, c, optarg) &&
		    (more == NULL || !more(t, c, optarg)))
			usage(t);
	argv += optind;
	if (argc - optind < 2)
		too_few(t);
	t->host = argv[0];
	if (!hostaddr_port(argv[1], &t->port))
		tcpcaller_fatal(t, "unable to figure out port number for %s", argv[1]);
	t->program = argv + 2;
	if (*t->program == NULL)
		too_few(t);
}

static void find_addresses(const struct tcpcaller *t, struct hostaddr *list)
{
	const char *host = t->host;
	struct err e;

	if (*host == 0 || strcmp(host, "0") == 0)
		host = t->common.family == HOSTADDR_V6 ? "::1" : "127.0.0.1";
	if (!hostaddr_find(str_of(host), t->common.family, list, &e))
		tcpcaller_fatal(t, "temporarily unable to figure out IP address for %s: %s", t->host, e.text);
	if (list->n == 0)
		tcpcaller_fatal(t, "no IP address for %s", t->host);
}

/* An address to bind to that fits the family of the other end. */
static const struct inetaddr *bind_address(const struct tcpcaller *t, const struct inetaddr *to, struct inetaddr *any)
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
static int one_round(const struct tcpcaller *t, struct hostaddr *list, uint32_t seconds, bool another)
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
			tcpcaller_fatal(t, "unable to bind socket: %s", errno_text(errno));
		if (another && errno == ETIMEDOUT) {
			slow.a[slow.n++] = *to;
			continue;
		}
		inetaddr_text(to, text);
		if (t->common.verbosity)
			fprintf(stderr, "%s: unable to connect to %s port %u: %s\n", t->name, text, (unsigned)t->port,
				errno_text(errno));
	}
	*list = slow;
	return -1;
}

static int connect_any(const struct tcpcaller *t)
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

static void describe(const struct tcpcaller *t, int fd, struct connection *c)
{
	int on = 1;

	if (t->common.no_delay)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (!connection_local(c, fd))
		tcpcaller_fatal(t, "unable to get local address: %s", errno_text(errno));
	if (!connection_remote(c, fd))
		tcpcaller_fatal(t, "unable to get remote address: %s", errno_text(errno));
	if (t->common.verbosity >= 2)
		fprintf(stderr, "%s: connected to %s port %u\n", t->name, c->remote_ip, (unsigned)c->remote.port);
	connection_name(c, &t->common.names);
}

int tcpcaller_connect(struct tcpcaller *t, struct connection *c)
{
	int fd;

	close(6);
	close(7);
	signal(SIGPIPE, SIG_IGN);
	fd = connect_any(t);
	describe(t, fd, c);
	return fd;
}

/* dup2 does nothing where a descriptor is the right one already: it would stay close-on-exec. */
static int aside(const struct tcpcaller *t, int fd)
{
	if (fd == 6 || fd == 7)
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 8);
	if (fd == -1)
		tcpcaller_fatal(t, "unable to set up descriptors: %s", errno_text(errno));
	return fd;
}

_Noreturn void tcpcaller_run(const struct tcpcaller *t, int from, int to, const struct childenv *env)
{
	from = aside(t, from);
	to = aside(t, to);
	if (dup2(from, 6) == -1)
		tcpcaller_fatal(t, "unable to set up descriptor 6: %s", errno_text(errno));
	if (dup2(to, 7) == -1)
		tcpcaller_fatal(t, "unable to set up descriptor 7: %s", errno_text(errno));
	signal(SIGPIPE, SIG_DFL);
	childenv_run(env, t->program[0], t->program);
	tcpcaller_fatal(t, "unable to run %s: %s", t->program[0], errno_text(errno));
}
