#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "netrules/addrlist.h"
#include "sys/io.h"
#include "sys/options.h"
#include "tcpservice/tcpservice.h"

static uint32_t number(const char *text)
{
	return (uint32_t)options_number(text, UINT32_MAX - 1);
}

/* What envuidgid left. */
static void ids_from_environment(struct tcpservice *t)
{
	const char *uid = getenv("UID"), *gid = getenv("GID");

	if (gid)
		t->gid = number(gid);
	if (uid)
		t->uid = number(uid);
}

/* Options without an argument; false: unknown. */
static bool flag(struct tcpservice *t, int c)
{
	switch (c) {
	case 'p':
	case 'P':
		t->common.names.paranoid = c == 'p';
		return true;
	case 'o':
	case 'O':
		t->keep_options = c == 'o';
		return true;
	case 'U':
		ids_from_environment(t);
		return true;
	case 'X':
		t->rules.may_miss = true;
		return true;
	case '1':
		t->print_port = true;
		return true;
	}
	return false;
}

static bool setting(struct tcpservice *t, int c, const char *value)
{
	switch (c) {
	case 'b':
		t->backlog = (int)options_number(value, INT32_MAX);
		return true;
	case 'c':
		t->limit = number(value);
		return true;
	case 'C':
		t->connections.per_client = number(value);
		return true;
	case 'u':
		t->uid = number(value);
		return true;
	case 'g':
		t->gid = number(value);
		return true;
	case 'x':
		t->rules.path = value;
		return true;
	case 'B':
		t->banner = value;
		return true;
	case 'Z':
		t->proxies = value;
		return true;
	}
	return false;
}

static bool any_option(struct tcpservice *t, int c, const char *value)
{
	return useroptions_take(&t->common, c, value) || flag(t, c) || setting(t, c, value);
}

static _Noreturn void usage(const struct tcpservice *t)
{
	struct buf line = BUF_INIT(2000);

	buf_addf(&line, "%s: usage: %s [ -%s ] [ -c limit ] [ -x rules.cdb ] [ -B banner ] ", t->name, t->name,
		 t->flags);
	buf_addf(&line, "[ -g gid ] [ -u uid ] [ -b backlog ] [ -l localname ] [ -t timeout ] ");
	buf_addf(&line, "%shost port program\n", t->more_options);
	io_write_all(2, line.p, line.n);
	exit(100);
}

/* With -q nothing is said; but of options that make no sense. */
static _Noreturn void too_few(const struct tcpservice *t)
{
	if (t->common.verbosity)
		usage(t);
	exit(100);
}

void tcpservice_arguments(struct tcpservice *t, int argc, char **argv, const char *letters,
			  bool (*more)(struct tcpservice *t, int c, const char *value))
{
	struct err e;

	for (int c; (c = options_next(argc, argv, letters)) != -1;)
		if (!any_option(t, c, optarg) && (more == NULL || !more(t, c, optarg)))
			usage(t);
	argv += optind;
	if (argc - optind < 2)
		too_few(t);
	t->host = argv[0];
	if (!hostaddr_port(argv[1], &t->port))
		service_fatal(t, "unable to figure out port number for %s", argv[1]);
	t->program = argv + 2;
	if (*t->program == NULL)
		too_few(t);
	io_open_standard_fds();
	if (t->proxies && !addrlist_check(str_of(t->proxies), &e))
		service_fatal(t, "option -Z: %s", e.text);
}

/* Where to listen; *both: one IPv6 socket that takes IPv4 as well. */
static struct inetaddr listening_address(const struct tcpservice *t, bool *both)
{
	struct hostaddr found = { .n = 1 };
	struct inetaddr a = { 0 };
	struct err e;

	*both = strcmp(t->host, ":0") == 0;
	if (*both || *t->host == 0 || strcmp(t->host, "0") == 0) {
		a.v6 = *both || t->common.family == HOSTADDR_V6;
	} else {
		if (!hostaddr_find(str_of(t->host), t->common.family, &found, &e))
			service_fatal(t, "temporarily unable to figure out IP address for %s: %s", t->host, e.text);
		if (found.n == 0)
			service_fatal(t, "no IP address for %s", t->host);
		a = found.a[0];
	}
	a.port = t->port;
	return a;
}

static uint16_t start_listening(struct tcpservice *t, const struct inetaddr *a, bool both)
{
	struct connection own = CONNECTION_INIT;
	struct sockaddr_storage ss;
	socklen_t n = inetaddr_to(a, &ss);
	int on = 1, only = !both;

	t->fd = socket(a->v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (t->fd == -1)
		service_fatal(t, "unable to create socket: %s", errno_text(errno));
	setsockopt(t->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (a->v6)
		setsockopt(t->fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
	if (bind(t->fd, (const struct sockaddr *)&ss, n) == -1)
		service_fatal(t, "unable to bind: %s", errno_text(errno));
	if (!connection_local(&own, t->fd))
		service_fatal(t, "unable to get local address: %s", errno_text(errno));
	if (listen(t->fd, t->backlog) == -1)
		service_fatal(t, "unable to listen: %s", errno_text(errno));
	return own.local.port;
}

static void give_up_root(const struct tcpservice *t)
{
	if (t->gid && (setgroups(1, &t->gid) == -1 || setgid(t->gid) == -1))
		service_fatal(t, "unable to set gid: %s", errno_text(errno));
	if (t->uid && setuid(t->uid) == -1)
		service_fatal(t, "unable to set uid: %s", errno_text(errno));
}

/* Whoever waits for our output sees its end. Something must stay open there, or a connection would land on 0. */
static void release_standard_fds(const struct tcpservice *t)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null == -1 || dup2(null, 0) == -1 || dup2(null, 1) == -1)
		service_fatal(t, "unable to set up descriptors: %s", errno_text(errno));
	if (null > 1)
		close(null);
}

_Noreturn void tcpservice_run(struct tcpservice *t)
{
	struct inetaddr a;
	char line[16];
	uint16_t port;
	bool both;

	a = listening_address(t, &both);
	port = start_listening(t, &a, both);
	give_up_root(t);
	if (t->print_port) {
		snprintf(line, sizeof line, "%u\n", (unsigned)port);
		io_write_all(1, line, strlen(line));
	}
	release_standard_fds(t);
	service_loop(t);
}
