/*
 * quill_upgrade: quill upgrade-check: what of an existing qmail our programs
 * would use as it is, treat otherwise, or ignore. Changes nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "quill/quill.h"
#include "quill/upgrade_report.h"
#include "sys/home.h"

static const char *const usual_services[] = { "/service", "/etc/service", "/var/service" };

struct arguments {
	bool json;
	const char *services[16], *rules[16];
	size_t nservices, nrules;
};

/* How many arguments it has taken; -1: said what is wrong. */
static int take_options(struct arguments *a, int argc, char **argv)
{
	int i = 0;

	for (; i < argc && argv[i][0] == '-'; i++) {
		bool service = strcmp(argv[i], "--service") == 0, rules = strcmp(argv[i], "--rules") == 0;

		if (strcmp(argv[i], "--json") == 0) {
			a->json = true;
			continue;
		}
		if (!service && !rules)
			return quill_fail(-1, "upgrade-check: there is no option %s", argv[i]);
		if (i + 1 >= argc || a->nservices == 16 || a->nrules == 16)
			return quill_fail(-1, "upgrade-check: %s needs a name, and is given 16 times at most", argv[i]);
		if (service)
			a->services[a->nservices++] = argv[++i];
		else
			a->rules[a->nrules++] = argv[++i];
	}
	return i;
}

/* The scripts of this machine, if it is about the home of this machine and others are not named. */
static void look_around(struct arguments *a)
{
	if (strcmp(home_path(), QMAIL_HOME) != 0)
		return;
	for (size_t i = 0; a->nservices == 0 && i < sizeof usual_services / sizeof *usual_services; i++)
		if (access(usual_services[i], F_OK) == 0) {
			a->services[a->nservices++] = usual_services[i];
			break;
		}
	if (a->nrules == 0 && access("/etc/tcp.smtp", F_OK) == 0)
		a->rules[a->nrules++] = "/etc/tcp.smtp";
}

static void check(struct upgrade_report *r, const struct arguments *a)
{
	upgrade_control(r);
	upgrade_users(r);
	upgrade_alias(r);
	upgrade_script(r, "rc");
	upgrade_services(r, "supervise");
	for (size_t i = 0; i < a->nservices; i++)
		upgrade_services(r, a->services[i]);
	for (size_t i = 0; i < a->nrules; i++)
		upgrade_rules(r, a->rules[i]);
	upgrade_bin(r);
	upgrade_queue(r);
	upgrade_accounts(r);
}

int quill_upgrade(int argc, char **argv)
{
	struct upgrade_report r = { .used = BUF_INIT(SIZE_MAX) };
	struct arguments a = { 0 };
	int taken = take_options(&a, argc, argv), code;

	if (taken == -1)
		return 100;
	/* Where a file was named from here. */
	for (size_t i = 0; i < a.nservices; i++)
		a.services[i] = realpath(a.services[i], NULL) ?: a.services[i];
	for (size_t i = 0; i < a.nrules; i++)
		a.rules[i] = realpath(a.rules[i], NULL) ?: a.rules[i];
	if ((code = quill_choose_home(argc - taken, argv + taken)) != 0)
		return code;
	if (access("control", F_OK) == -1)
		return quill_fail(100, "%s has no directory control: it is no qmail's home", home_path());
	look_around(&a);
	r.json = a.json;
	check(&r, &a);
	upgrade_end(&r);
	if (fflush(stdout) != 0 || ferror(stdout))
		return 111;
	return r.counts[VERDICT_DIFFERS] || r.counts[VERDICT_IGNORED] ? 1 : 0;
}
