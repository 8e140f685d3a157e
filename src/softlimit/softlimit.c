/*
 * softlimit -aN -cN … PROGRAM…: lowers soft resource limits and becomes the
 * program (contract-companions §2.2). "=" means the hard limit; more than that
 * is cut to it. Exit 100 for a wrong call, 111 for trouble.
 */
#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "filter/chain.h"
#include "filter/tool.h"
#include "sys/options.h"

#define ME "softlimit"
#define USAGE                                                                                      \
	"[-a allbytes] [-c corebytes] [-d databytes] [-f filebytes] [-l lockbytes] [-m membytes] " \
	"[-o openfiles] [-p processes] [-r residentbytes] [-s stackbytes] [-t cpusecs] child"

static const struct limit {
	char letter;
	int resources[5]; /* up to a negative one */
} limits[] = {
	{ 'a', { RLIMIT_AS, -1 } },      { 'c', { RLIMIT_CORE, -1 } },
	{ 'd', { RLIMIT_DATA, -1 } },    { 'f', { RLIMIT_FSIZE, -1 } },
	{ 'l', { RLIMIT_MEMLOCK, -1 } }, { 'm', { RLIMIT_DATA, RLIMIT_STACK, RLIMIT_MEMLOCK, RLIMIT_AS, -1 } },
	{ 'o', { RLIMIT_NOFILE, -1 } },  { 'p', { RLIMIT_NPROC, -1 } },
	{ 'r', { RLIMIT_RSS, -1 } },     { 's', { RLIMIT_STACK, -1 } },
	{ 't', { RLIMIT_CPU, -1 } },
};

/* No digits are 0, as everywhere; but anything behind them is a mistake. */
static rlim_t wanted(const char *text, rlim_t hard)
{
	rlim_t value;

	if (strcmp(text, "=") == 0)
		return hard;
	value = options_number(text, RLIM_INFINITY);
	if (text[strspn(text, "0123456789")] != 0)
		tool_usage(ME, USAGE);
	return value < hard ? value : hard;
}

static void lower(int resource, const char *text)
{
	struct rlimit r;

	if (getrlimit((unsigned)resource, &r) == -1)
		tool_die(ME, EXIT_TEMPORARY, "getrlimit failed: %s", errno_text(errno));
	r.rlim_cur = wanted(text, r.rlim_max);
	if (setrlimit((unsigned)resource, &r) == -1)
		tool_die(ME, EXIT_TEMPORARY, "setrlimit failed: %s", errno_text(errno));
}

static void apply(char letter, const char *text)
{
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
		for (const int *r = limits[i].resources; limits[i].letter == letter && *r >= 0; r++)
			lower(*r, text);
}

int main(int argc, char **argv)
{
	int c;

	while ((c = options_next(argc, argv, "a:c:d:f:l:m:o:p:r:s:t:")) != -1) {
		if (c == '?')
			tool_usage(ME, USAGE);
		apply((char)c, optarg);
	}
	if (optind >= argc)
		tool_usage(ME, USAGE);
	chain_run(ME, argv + optind, NULL);
}
