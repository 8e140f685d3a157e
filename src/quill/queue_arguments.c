#include "quill/queue_arguments.h"

#include <getopt.h>
#include <stdlib.h>

#include "base/mem.h"
#include "quill/quill.h"
#include "sys/home.h"

enum {
	OPTION_SENDER = 256,
	OPTION_RECIPIENT,
	OPTION_DESTINATION,
	OPTION_REASON,
	OPTION_TRACE,
	OPTION_OLDER,
	OPTION_YOUNGER,
	OPTION_LARGER,
	OPTION_SMALLER,
	OPTION_STATE,
	OPTION_ALL,
	OPTION_JSON,
	OPTION_BODY,
	OPTION_NUMBERS,
	OPTION_BECAUSE,
	OPTION_REMOVE,
	OPTION_SPLIT,
};

static const struct option options[] = {
	{ "sender", required_argument, NULL, OPTION_SENDER },
	{ "recipient", required_argument, NULL, OPTION_RECIPIENT },
	{ "destination", required_argument, NULL, OPTION_DESTINATION },
	{ "reason", required_argument, NULL, OPTION_REASON },
	{ "trace", required_argument, NULL, OPTION_TRACE },
	{ "older", required_argument, NULL, OPTION_OLDER },
	{ "younger", required_argument, NULL, OPTION_YOUNGER },
	{ "larger", required_argument, NULL, OPTION_LARGER },
	{ "smaller", required_argument, NULL, OPTION_SMALLER },
	{ "state", required_argument, NULL, OPTION_STATE },
	{ "all", no_argument, NULL, OPTION_ALL },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "body", no_argument, NULL, OPTION_BODY },
	{ "numbers", no_argument, NULL, OPTION_NUMBERS },
	{ "because", required_argument, NULL, OPTION_BECAUSE },
	{ "remove", no_argument, NULL, OPTION_REMOVE },
	{ "split", required_argument, NULL, OPTION_SPLIT },
	{ "dry-run", no_argument, NULL, 'n' },
	{ "home", required_argument, NULL, 'C' },
	{ 0 },
};

static bool bad(const char *option, const char *value, const char *expected)
{
	quill_fail(100, "--%s %s: %s is expected", option, value, expected);
	return false;
}

static bool take_state(struct queue_filter *f, const char *word)
{
	unsigned state = queue_filter_state(word);

	f->states |= state;
	return state != 0 || bad("state", word, "new, deferred, held, failed, local or remote");
}

static bool take_age(const char *option, int64_t *seconds)
{
	return queue_filter_age(str_of(optarg), seconds) ||
	       bad(option, optarg, "an age such as 90s, 10m, 2h, 3d or 1w");
}

static bool take_size(const char *option, uint64_t *bytes)
{
	return queue_filter_size(str_of(optarg), bytes) || bad(option, optarg, "a size such as 5000, 10k or 2M");
}

static bool take_filter(struct queue_filter *f, int c)
{
	switch (c) {
	case OPTION_SENDER:
		f->sender = optarg;
		return true;
	case OPTION_RECIPIENT:
		f->recipient = optarg;
		return true;
	case OPTION_DESTINATION:
		f->destination = optarg;
		return true;
	case OPTION_REASON:
		f->reason = optarg;
		return true;
	case OPTION_TRACE:
		f->trace = optarg;
		return true;
	case OPTION_OLDER:
		return take_age("older", &f->older);
	case OPTION_YOUNGER:
		return take_age("younger", &f->younger);
	case OPTION_LARGER:
		return take_size("larger", &f->larger);
	case OPTION_SMALLER:
		return take_size("smaller", &f->smaller);
	default:
		return take_state(f, optarg);
	}
}

static bool take_option(struct queue_arguments *a, int c)
{
	switch (c) {
	case 'C':
		setenv("QMAILHOME", optarg, 1);
		return true;
	case 'n':
		a->dry = true;
		return true;
	case OPTION_ALL:
		a->all = true;
		return true;
	case OPTION_JSON:
		a->json = true;
		return true;
	case OPTION_BODY:
		a->body = true;
		return true;
	case OPTION_NUMBERS:
		a->numbers = true;
		return true;
	case OPTION_REMOVE:
		a->remove = true;
		return true;
	case OPTION_BECAUSE:
		a->reason = optarg;
		return true;
	case OPTION_SPLIT:
		return (str_to_u64(str_of(optarg), &a->split) && a->split >= 1 && a->split <= 100000) ||
		       bad("split", optarg, "a number from 1 to 100000");
	case '?':
	case ':':
		quill_fail(100, "queue: there is no option %s, or it lacks its value; see quill(1)",
			   optarg ? optarg : "");
		return false;
	default:
		return take_filter(&a->filter, c);
	}
}

static bool take_word(struct queue_arguments *a, const char *word, int nwords)
{
	uint64_t id;

	if (str_to_u64(str_of(word), &id)) {
		a->ids = mem_array(a->ids, a->nids + 1, sizeof *a->ids);
		a->ids[a->nids++] = id;
		return true;
	}
	if (a->nwords == nwords) {
		quill_fail(100, "queue: %s is no message number", word);
		return false;
	}
	a->words[a->nwords++] = word;
	return true;
}

bool queue_arguments_read(struct queue_arguments *a, int argc, char **argv, int nwords)
{
	struct err e;
	int c;

	*a = (struct queue_arguments){ .split = 23 };
	opterr = 0;
	optind = 0;
	while ((c = getopt_long(argc, argv, ":C:n", options, NULL)) != -1) {
		if (c == '?' || c == ':')
			optarg = argv[optind - 1];
		if (!take_option(a, c))
			return false;
	}
	for (int i = optind; i < argc; i++)
		if (!take_word(a, argv[i], nwords))
			return false;
	if (home_open(&e))
		return true;
	quill_fail(111, "%s", e.text);
	return false;
}

void queue_arguments_free(struct queue_arguments *a)
{
	free(a->ids);
	*a = (struct queue_arguments){ 0 };
}
