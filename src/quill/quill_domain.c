#include "quill/quill_domain.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conf/control.h"
#include "queuequery/queuemessage.h"
#include "route/route.h"
#include "sys/home.h"
#include "sys/io.h"
#include "sys/unixsock.h"

#define LINE_LIMIT 4096

/* ---- what there is ---------------------------------------------------------------- */

enum domain_kind { DOMAIN_REMOTE, DOMAIN_ACCOUNTS, DOMAIN_TABLE, DOMAIN_OTHER };

/* Where the control files send mail for it; *prefix is what virtualdomains puts in front. */
static bool find_kind(struct str domain, enum domain_kind *kind, struct buf *prefix, struct err *e)
{
	struct buf address = BUF_INIT(LINE_LIMIT), routed = BUF_INIT(LINE_LIMIT);
	struct route_tables tables = { 0 };
	struct route r;

	if (!route_load(&tables, e))
		return false;
	buf_addf(&address, "mailbox@%.*s", STR_ARG(domain));
	r = route_address(&tables, buf_str(&address), &routed);
	buf_add(prefix, r.prefix);
	*kind = r.channel == ROUTE_REMOTE   ? DOMAIN_REMOTE
		: r.prefix.n == 0           ? DOMAIN_ACCOUNTS
		: str_ieq(r.prefix, domain) ? DOMAIN_TABLE
					    : DOMAIN_OTHER;
	route_free(&tables);
	buf_free(&address);
	buf_free(&routed);
	return true;
}

static bool elsewhere(struct str domain, struct str prefix, struct err *e)
{
	return err_perm(e,
			"control/virtualdomains gives %.*s to %.*s; for mailboxes in the table it must say %.*s:%.*s",
			STR_ARG(domain), STR_ARG(prefix), STR_ARG(domain), STR_ARG(domain));
}

/* *remote: it is not ours yet. False: it is somebody else's. */
static bool may_be_ours(struct str domain, bool *remote, struct err *e)
{
	struct buf prefix = BUF_INIT(LINE_LIMIT);
	enum domain_kind kind = DOMAIN_OTHER;
	bool ok = find_kind(domain, &kind, &prefix, e);

	if (ok && kind == DOMAIN_OTHER)
		ok = elsewhere(domain, buf_str(&prefix), e);
	*remote = kind == DOMAIN_REMOTE;
	buf_free(&prefix);
	return ok;
}

bool quill_domain_check(struct str domain, struct err *e)
{
	bool remote;

	if (!may_be_ours(domain, &remote, e))
		return false;
	return !remote || err_perm(e, "%.*s is not local; control/virtualdomains must say %.*s:%.*s", STR_ARG(domain),
				   STR_ARG(domain), STR_ARG(domain));
}

bool quill_domain_has_accounts(struct str domain)
{
	struct buf prefix = BUF_INIT(LINE_LIMIT);
	enum domain_kind kind;
	struct err e;
	bool yes = find_kind(domain, &kind, &prefix, &e) && kind == DOMAIN_ACCOUNTS;

	buf_free(&prefix);
	return yes;
}

static bool accepted(const struct control_list *rcpthosts, struct str domain)
{
	for (size_t i = 0; i < rcpthosts->n; i++) {
		struct str host = rcpthosts->items[i];

		if (str_ieq(host, domain) || (str_starts(host, STR(".")) && str_iends(domain, host)))
			return true;
	}
	return false;
}

/* ---- changes ---------------------------------------------------------------------- */

/* Adds a line; one before it that lacks its end gets it. */
static bool append_line(const char *path, struct str line, struct err *e)
{
	int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	struct buf text = BUF_INIT(LINE_LIMIT);
	off_t end;
	char last = '\n';
	bool ok;

	if (fd == -1)
		return err_sys(e, errno, "unable to open %s", path);
	end = lseek(fd, 0, SEEK_END);
	if (end > 0 && pread(fd, &last, 1, end - 1) == 1 && last != '\n')
		buf_addc(&text, '\n');
	buf_add(&text, line);
	buf_addc(&text, '\n');
	ok = buf_ok(&text) && io_write_all(fd, text.p, text.n) == 0 && fsync(fd) == 0;
	ok = close(fd) == 0 && ok;
	if (ok)
		printf("added to %s: %.*s\n", path, STR_ARG(line));
	buf_free(&text);
	return ok || err_sys(e, errno, "unable to write %s", path);
}

/* The sockets in run/ were made by the process that is qmail-send now. */
static pid_t send_pid(void)
{
	struct err e;
	struct unixsock_peer peer = { 0 };
	char path[64], name[32] = "";
	FILE *f;
	int fd;

	if (!unixsock_connect(home_dir(), "run/lspawn", UNIXSOCK_PACKET, &fd, &e))
		return 0;
	if (!unixsock_peer(fd, &peer, &e))
		peer.pid = 0;
	close(fd);
	snprintf(path, sizeof path, "/proc/%ld/comm", (long)peer.pid);
	f = peer.pid > 1 ? fopen(path, "re") : NULL;
	if (f == NULL)
		return 0;
	if (fgets(name, sizeof name, f) == NULL || strcmp(name, "qmail-send\n") != 0)
		peer.pid = 0;
	fclose(f);
	return peer.pid;
}

/* Mail that comes from now on goes where the files say now. */
static void tell_qmail_send(void)
{
	pid_t pid = send_pid();
	struct err e;

	if (pid > 1 && (queue_reread(&e) || kill(pid, SIGHUP) == 0))
		return;
	printf("note: a qmail-send that runs must read control/virtualdomains again: send it HUP\n");
}

static bool add_virtual(struct str domain, struct err *e)
{
	struct buf line = BUF_INIT(LINE_LIMIT);
	bool ok;

	buf_addf(&line, "%.*s:%.*s", STR_ARG(domain), STR_ARG(domain));
	ok = append_line("control/virtualdomains", buf_str(&line), e);
	buf_free(&line);
	if (ok)
		tell_qmail_send();
	return ok;
}

/* Without the file, mail is taken for local and virtual domains. */
static bool add_rcpthost(struct str domain, struct err *e)
{
	struct control_list list;
	bool ok = control_list_load("rcpthosts", &list, e);

	if (ok && list.present && !accepted(&list, domain))
		ok = append_line("control/rcpthosts", domain, e);
	control_list_free(&list);
	return ok;
}

bool quill_domain_add(struct str domain, struct err *e)
{
	bool remote;

	return may_be_ours(domain, &remote, e) && (!remote || add_virtual(domain, e)) && add_rcpthost(domain, e);
}
