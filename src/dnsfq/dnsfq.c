/*
 * dnsfq HOST: prints its fully qualified name in lower case (contract §20).
 */
#include <stdio.h>

#include "dnstool/dnstool.h"
#include "dnstool/fullname.h"
#include "filter/tool.h"

#define ME "dnsfq"

int main(int argc, char **argv)
{
	struct str host = dnstool_argument(ME, argc, argv, "host");
	struct buf name = BUF_INIT(DNS_NAME_MAX);
	struct err e;

	if (!fullname_find(host.p, &name, &e))
		tool_fail(ME, &e);
	puts(buf_cstr(&name));
	buf_free(&name);
	return 0;
}
