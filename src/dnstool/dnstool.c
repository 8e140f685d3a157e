#include "dnstool/dnstool.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/exitcode.h"
#include "base/mem.h"
#include "dns/dnsclient.h"
#include "filter/tool.h"
#include "sys/home.h"

struct dns_answer *dnstool_ask(const char *me, enum dns_type type, struct str name)
{
	struct dns_answer *answer = mem_zero(1, sizeof *answer);
	struct err e;

	if (!home_open(&e))
		tool_die(me, EXIT_TEMPORARY, "%s", e.text);
	dns_query(type, name, DNS_TIMEOUT_MS, answer);
	if (answer->outcome == DNS_TEMPORARY)
		tool_die(me, EXIT_TEMPORARY, "soft error: %.*s", STR_ARG(answer->why));
	if (answer->outcome != DNS_FOUND)
		tool_die(me, EXIT_PERMANENT, "hard error");
	return answer;
}

void dnstool_free(struct dns_answer *answer)
{
	dns_answer_free(answer);
	free(answer);
}

struct str dnstool_argument(const char *me, int argc, char **argv, const char *what)
{
	if (argc != 2)
		tool_usage(me, what);
	return str_of(argv[1]);
}

void dnstool_print_address(const struct dns_record *r)
{
	char text[INET6_ADDRSTRLEN];

	if (inet_ntop(r->type == DNS_AAAA ? AF_INET6 : AF_INET, r->data.p, text, sizeof text))
		fputs(text, stdout);
}
