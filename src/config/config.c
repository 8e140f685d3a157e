/*
 * config: the first control files, with this host's name as the system's
 * resolver knows it; every name that leads to one of our addresses is local
 * (contract §20). Exit 0, 100 or 111.
 *
 * It runs before the mail system does, so it asks the C library and not
 * qmail-resolve.
 */
#include <netdb.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/exitcode.h"
#include "conf/firstfiles.h"
#include "dnstool/fullname.h"
#include "filter/tool.h"
#include "outbound/ownaddress.h"
#include "sys/home.h"

#define ME "config"
#define HOST_NAME_LIMIT 256

static void find_name(struct buf *fqdn)
{
	char name[HOST_NAME_LIMIT] = { 0 };
	struct err e;

	if (gethostname(name, sizeof name - 1) == -1)
		tool_die(ME, EXIT_TEMPORARY, "this host has no name");
	printf("Your hostname is %s.\n", name);
	if (!fullname_find(name, fqdn, &e))
		tool_die(ME, err_exit_code(&e), "no full name for %s: %s; use config-fast and say it", name, e.text);
	if (str_chr(buf_str(fqdn), '.') == fqdn->n)
		tool_die(ME, EXIT_PERMANENT, "no full name for %s in DNS or /etc/hosts; use config-fast and say it",
			 name);
}

/* False: it has none. */
static bool name_of(const struct peeraddress *a, char name[NI_MAXHOST])
{
	struct sockaddr_storage ss;
	socklen_t n = peeraddress_sockaddr(a, 0, &ss);

	return getnameinfo((const struct sockaddr *)&ss, n, name, NI_MAXHOST, NULL, 0, NI_NAMEREQD) == 0;
}

static bool add_names(struct err *e)
{
	struct ownaddresses own;
	bool ok = true;

	ownaddresses_load(&own);
	for (size_t i = 0; ok && i < own.n; i++) {
		char text[PEERADDRESS_TEXT_MAX], name[NI_MAXHOST];

		peeraddress_text(&own.list[i], text);
		if (name_of(&own.list[i], name)) {
			printf("%s: %s\n", text, name);
			ok = firstfiles_host(str_of(name), e);
		} else {
			printf("%s: no name\n", text);
		}
	}
	ownaddresses_free(&own);
	return ok;
}

int main(int argc, char **argv)
{
	struct buf fqdn = BUF_INIT(NI_MAXHOST);
	struct err e;

	(void)argv;
	if (argc != 1)
		tool_usage(ME, "");
	find_name(&fqdn);
	printf("Your host's fully qualified name is %s.\n", buf_cstr(&fqdn));
	if (!home_open(&e) || !firstfiles_names(buf_str(&fqdn), &e) || !firstfiles_host(buf_str(&fqdn), &e) ||
	    !add_names(&e))
		tool_die(ME, EXIT_TEMPORARY, "%s", e.text);
	buf_free(&fqdn);
	return 0;
}
