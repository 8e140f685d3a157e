#include "ucspi/hostaddr.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "dns/dnsanswer.h"
#include "listener/clientname.h"
#include "sys/io.h"
#include "sys/random.h"
#include "ucspi/dnsrewrite.h"
#include "ucspi/hostsfile.h"
#include "ucspi/stubresolver.h"

#define FILE_LIMIT (4u << 20)

struct finder {
	enum hostaddr_family family;
	struct hostaddr *list;
};

static void add(void *ctx, const struct inetaddr *a)
{
	struct finder *f = ctx;

	if (f->family == (a->v6 ? HOSTADDR_V4 : HOSTADDR_V6) || f->list->n == HOSTADDR_MAX)
		return;
	f->list->a[f->list->n++] = *a;
}

/* What cannot be read is as if it were not there. */
static void read_file(const char *path, struct buf *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd == -1)
		return;
	if (!io_read_rest(fd, text))
		buf_clear(text);
	close(fd);
}

static bool literal(struct str host, struct inetaddr *a)
{
	if (host.n > 2 && *host.p == '[' && host.p[host.n - 1] == ']')
		host = (struct str){ host.p + 1, host.n - 2 };
	return inetaddr_parse_ip(host, a);
}

static void from_hosts_file(struct str host, struct finder *f)
{
	struct buf text = BUF_INIT(FILE_LIMIT);

	if (getenv("DNSCACHEIP") == NULL)
		read_file("/etc/hosts", &text);
	hostsfile_find(buf_str(&text), host, add, f);
	buf_free(&text);
}

static void instructions(struct buf *out)
{
	const char *file = getenv("DNSREWRITEFILE");
	struct buf conf = BUF_INIT(FILE_LIMIT);
	char own[256] = "";

	read_file(file ? file : "/etc/dnsrewrite", out);
	if (out->n == 0) {
		read_file("/etc/resolv.conf", &conf);
		gethostname(own, sizeof own - 1);
		dnsrewrite_default(getenv("LOCALDOMAIN"), buf_str(&conf), str_of(own), out);
	}
	buf_free(&conf);
}

static void shuffle(struct inetaddr *a, size_t n)
{
	for (; n > 1; n--) {
		size_t other = random_below((uint32_t)n);
		struct inetaddr swap = a[n - 1];

		a[n - 1] = a[other];
		a[other] = swap;
	}
}

/* Appends the addresses of one family; false for trouble. */
static bool ask(enum dns_type type, struct str name, struct finder *f, struct err *e)
{
	struct dnspacket_set set;
	size_t before = f->list->n;

	stubresolver_ask(type, name, &set);
	for (size_t i = 0; set.outcome == DNS_FOUND && i < set.n; i++) {
		struct inetaddr a = { .v6 = type == DNS_AAAA };

		memcpy(a.ip, set.records[i].data.p, a.v6 ? 16 : 4);
		add(f, &a);
	}
	shuffle(f->list->a + before, f->list->n - before);
	if (set.outcome == DNS_TEMPORARY)
		err_temp(e, "%s", errno_text(EAGAIN));
	dnspacket_set_free(&set);
	return set.outcome != DNS_TEMPORARY;
}

/* Trouble with IPv6 does not matter where IPv4 was found. */
static bool from_dns(struct str name, struct finder *f, struct err *e)
{
	if (f->family != HOSTADDR_V6 && !ask(DNS_A, name, f, e))
		return false;
	return f->family == HOSTADDR_V4 || ask(DNS_AAAA, name, f, e) || f->list->n;
}

bool hostaddr_find(struct str host, enum hostaddr_family family, struct hostaddr *list, struct err *e)
{
	struct buf rules = BUF_INIT(FILE_LIMIT), name = BUF_INIT(DNS_NAME_MAX), one = BUF_INIT(DNS_NAME_MAX);
	struct finder f = { family, list };
	struct inetaddr a;
	bool ok = true;

	list->n = 0;
	if (literal(host, &a)) {
		add(&f, &a);
		return true;
	}
	from_hosts_file(host, &f);
	if (list->n)
		return true;
	instructions(&rules);
	buf_add(&name, host);
	dnsrewrite_apply(buf_str(&rules), &name);
	for (size_t at = 0; ok && list->n == 0 && buf_ok(&name) && dnsrewrite_next(buf_str(&name), &at, &one);) {
		if (literal(buf_str(&one), &a))
			add(&f, &a);
		else
			ok = from_dns(buf_str(&one), &f, e);
	}
	buf_free(&rules);
	buf_free(&name);
	buf_free(&one);
	return ok;
}

bool hostaddr_name(const struct inetaddr *a, struct buf *name)
{
	struct buf reverse = BUF_INIT(100);
	struct dnspacket_set set;
	bool found;

	clientname_reverse(a, &reverse);
	stubresolver_ask(DNS_PTR, buf_str(&reverse), &set);
	found = set.outcome == DNS_FOUND && set.n;
	buf_clear(name);
	if (found)
		buf_add(name, set.records[0].name);
	dnspacket_set_free(&set);
	buf_free(&reverse);
	return found && buf_ok(name);
}

bool hostaddr_leads_to(struct str name, const struct inetaddr *a)
{
	struct str want = { (const char *)a->ip, a->v6 ? 16 : 4 };
	struct dnspacket_set set;
	bool found = false;

	stubresolver_ask(a->v6 ? DNS_AAAA : DNS_A, name, &set);
	for (size_t i = 0; set.outcome == DNS_FOUND && i < set.n && !found; i++)
		found = str_eq(set.records[i].data, want);
	dnspacket_set_free(&set);
	return found;
}

bool hostaddr_port(const char *text, uint16_t *port)
{
	struct servent *service;
	uint64_t number;

	if (str_to_u64(str_of(text), &number) && number <= 65535) {
		*port = (uint16_t)number;
		return true;
	}
	service = getservbyname(text, "tcp");
	if (service)
		*port = ntohs((uint16_t)service->s_port);
	return service != NULL;
}
