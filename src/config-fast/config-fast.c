/*
 * config-fast FQDN: the first control files, for a host of that name
 * (contract §20). Exit 0, 100 or 111.
 */
#include <stdio.h>

#include "base/exitcode.h"
#include "conf/firstfiles.h"
#include "filter/tool.h"
#include "sys/home.h"

#define ME "config-fast"

int main(int argc, char **argv)
{
	struct str fqdn;
	struct err e;

	if (argc != 2)
		tool_usage(ME, "fully.qualified.host.name");
	fqdn = str_of(argv[1]);
	if (fqdn.n == 0 || str_has_control(fqdn) || str_chr(fqdn, ' ') < fqdn.n)
		tool_usage(ME, "fully.qualified.host.name");
	printf("Your fully qualified host name is %.*s.\n", STR_ARG(fqdn));
	if (!home_open(&e) || !firstfiles_names(fqdn, &e) || !firstfiles_host(fqdn, &e))
		tool_die(ME, EXIT_TEMPORARY, "%s", e.text);
	return 0;
}
