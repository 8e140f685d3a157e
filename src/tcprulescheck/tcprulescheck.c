/*
 * tcprulescheck RULES.CDB: says what tcpserver would do with a connection
 * from $TCPREMOTEIP, $TCPREMOTEHOST, $TCPREMOTEINFO (contract-companions §1.3).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/exitcode.h"
#include "filter/tool.h"
#include "netrules/rulelookup.h"
#include "netrules/rulesource.h"

#define ME "tcprulescheck"

static struct rule_client client(void)
{
	const char *ip = getenv("TCPREMOTEIP"), *host = getenv("TCPREMOTEHOST"), *info = getenv("TCPREMOTEINFO");

	return (struct rule_client){
		.ip = str_of(ip ? ip : "0.0.0.0"),
		.has_host = host != NULL,
		.host = str_of(host),
		.has_info = info != NULL,
		.info = str_of(info),
	};
}

static void show(const struct rule *rule)
{
	struct buf key = BUF_INIT(65536);
	struct str value = rule->value, assignment;

	rulesource_show(buf_str(&rule->key), &key);
	printf("rule %s:\n", buf_cstr(&key));
	buf_free(&key);
	for (enum rule_item item; (item = rulelookup_next(&value, &assignment)) != RULE_END;) {
		if (item == RULE_DENY) {
			puts("deny connection");
			return;
		}
		printf("set environment variable %.*s\n", STR_ARG(assignment));
	}
	puts("allow connection");
}

int main(int argc, char **argv)
{
	struct rule_client c = client();
	struct rule rule = RULE_INIT;
	struct cdbfile rules;
	struct err e;

	if (argc < 2)
		tool_usage(ME, "rules.cdb");
	if (!cdbfile_open(&rules, AT_FDCWD, argv[1], &e) || !rulelookup_find(&rules, &c, &rule, &e))
		tool_die(ME, EXIT_TEMPORARY, "unable to read %s: %s", argv[1], e.sys ? errno_text(e.sys) : e.text);
	if (!rules.present)
		tool_die(ME, EXIT_TEMPORARY, "unable to read %s: file does not exist", argv[1]);
	if (rule.found)
		show(&rule);
	else
		puts("default:\nallow connection");
	cdbfile_close(&rules);
	buf_free(&rule.key);
	return 0;
}
