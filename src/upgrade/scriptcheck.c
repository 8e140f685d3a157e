#include "upgrade/scriptcheck.h"

#include <stdio.h>
#include <string.h>

#include "upgrade/foreignprograms.h"
#include "upgrade/scriptwords.h"

#define NO_SPP "plug-ins of the qmail-spp patch are not run"
#define NO_AUTH "SMTP authentication patches: passwords are not asked for by this variable"
#define NO_SPF "the SPF patch: SPF is not looked at"
#define NO_TARPIT "the tarpit patch: control/maxsmtperrors ends sessions with many refused commands"
#define USE_RCPTCHECK "control/rcptcheck refuses recipients that do not exist"

/* clang-format off */
static const struct variable {
	const char *name; /* one that ends in '*' is the beginning of names */
	enum verdict verdict;
	const char *text;
} variables[] = {
	{ "QMAILQUEUE", VERDICT_USED, "every program that puts mail into the queue runs what it names, as before" },
	{ "QMAILREMOTE", VERDICT_USED, "remote deliveries run what it names, as with notqmail" },
	{ "ENABLE_SPP", VERDICT_IGNORED, NO_SPP },
	{ "SPPCONFFILE", VERDICT_IGNORED, NO_SPP },
	{ "NOSPP", VERDICT_IGNORED, NO_SPP },
	{ "RCPTCHECK", VERDICT_IGNORED, "the rcptcheck patch: the program is not run; " USE_RCPTCHECK },
	{ "CHKUSER_*", VERDICT_IGNORED, "the chkuser patch: " USE_RCPTCHECK },
	{ "SMTPAUTH", VERDICT_IGNORED, NO_AUTH },
	{ "AUTH", VERDICT_IGNORED, NO_AUTH },
	{ "AUTHREQUIRED", VERDICT_IGNORED, NO_AUTH },
	{ "REQUIRE_AUTH", VERDICT_IGNORED, NO_AUTH },
	{ "FORCETLS", VERDICT_IGNORED, NO_AUTH },
	{ "TARPITCOUNT", VERDICT_IGNORED, NO_TARPIT },
	{ "TARPITDELAY", VERDICT_IGNORED, NO_TARPIT },
	{ "SPF*", VERDICT_IGNORED, NO_SPF },
	{ "MFCHECK", VERDICT_IGNORED, "the mfcheck patch: domains of senders are not looked up" },
	{ "MFDNSCHECK", VERDICT_IGNORED, "the mfcheck patch: domains of senders are not looked up" },
	{ "NODNSCHECK", VERDICT_IGNORED, "qmail-ldap: domains of senders are not looked up" },
	{ "SANITYCHECK", VERDICT_IGNORED, "qmail-ldap" },
	{ "RETURNMXCHECK", VERDICT_IGNORED, "qmail-ldap" },
	{ "REJECTEXEC", VERDICT_IGNORED, "a patch against attachments: a program named by QMAILQUEUE can do it" },
	{ "BADMIMETYPE", VERDICT_IGNORED, "a patch against attachments: a program named by QMAILQUEUE can do it" },
	{ "BADLOADERTYPE", VERDICT_IGNORED, "a patch against attachments: a program named by QMAILQUEUE can do it" },
	{ "GREETDELAY", VERDICT_IGNORED, "a greeting delay patch" },
	{ "SMTPGREETDELAY", VERDICT_IGNORED, "a greeting delay patch" },
	{ "SURBL", VERDICT_IGNORED, "the SURBL patch" },
	{ "DKVERIFY", VERDICT_USED, "read by qmail-dk, where QMAILQUEUE names that" },
	{ "DKSIGN", VERDICT_USED, "read by qmail-dk, where QMAILQUEUE names that" },
};
/* clang-format on */

enum at {
	AT_NOTHING,
	AT_OPTIONS,   /* of tcpserver or sslserver */
	AT_VALUE,     /* of an option of theirs */
	AT_SMTPD,     /* behind qmail-smtpd */
	AT_SUPERVISE, /* behind supervise */
	AT_DIRECTORY, /* behind its directory */
};

struct checking {
	verdict_given *each;
	void *ctx;
	enum at at;
	bool tls; /* sslserver */
};

static void give(const struct checking *c, enum verdict v, struct str name, const char *text)
{
	c->each(c->ctx, v, name, text);
}

static struct str base(struct str word)
{
	size_t slash = str_rchr(word, '/');

	return slash == word.n ? word : str_from(word, slash + 1);
}

static void check_variable(const struct checking *c, struct str name)
{
	for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
		if (str_like(name, str_of(variables[i].name))) {
			give(c, variables[i].verdict, name, variables[i].text);
			return;
		}
}

/* NAME=… anywhere: an assignment, or an argument of env or export. */
static bool assigns(struct str word, struct str *name)
{
	size_t n = 0;

	while (n < word.n &&
	       ((word.p[n] >= 'A' && word.p[n] <= 'Z') || word.p[n] == '_' || (n && chr_digit(word.p[n]))))
		n++;
	*name = str_head(word, n);
	return n && n < word.n && word.p[n] == '=';
}

/* Letters of our tcpserver, each with a ':' behind it that takes a value. */
static const char tcp_letters[] = "dDvqQhHrRt:l:46UXx:u:g:b:B:c:C:pPoO1Z:";
/* What our sslserver has besides. */
static const char tls_letters[] = "eET:w:";

static const char *find_letter(const struct checking *c, char letter)
{
	const char *found = letter == ':' ? NULL : strchr(tcp_letters, letter);

	if (found == NULL && c->tls && letter != ':')
		found = strchr(tls_letters, letter);
	return found && *found ? found : NULL;
}

static void check_options(struct checking *c, struct str word)
{
	for (size_t i = 1; i < word.n; i++) {
		const char *letter = find_letter(c, word.p[i]);
		char name[] = "-x";

		if (letter == NULL) {
			name[1] = word.p[i];
			give(c, VERDICT_DIFFERS, str_of(name),
			     c->tls ? "an option that this sslserver does not have: it will not start with it"
				    : "an option of a patched tcpserver, which this one does not have: it will not "
				      "start with it");
			return;
		}
		if (letter[1] == ':') {
			c->at = i + 1 < word.n ? AT_OPTIONS : AT_VALUE;
			return;
		}
	}
}

static bool redirection(struct str word)
{
	while (word.n && chr_digit(*word.p))
		word = str_from(word, 1);
	return word.n && (*word.p == '>' || *word.p == '<');
}

/* A word in the middle of a command, by what stands before it. True: it was an argument. */
static bool argument(struct checking *c, struct str word)
{
	switch (c->at) {
	case AT_VALUE:
		c->at = AT_OPTIONS;
		return true;
	case AT_OPTIONS:
		if (word.n > 1 && *word.p == '-' && !str_eq(word, STR("--"))) {
			check_options(c, word);
			return true;
		}
		c->at = AT_NOTHING;
		return false;
	case AT_SMTPD:
		c->at = AT_NOTHING;
		if (redirection(word))
			return false;
		give(c, VERDICT_DIFFERS, STR("qmail-smtpd"),
		     "it is given arguments, as SMTP authentication patches need; ours ends when it gets them");
		return true;
	case AT_SUPERVISE:
		c->at = AT_DIRECTORY;
		return true;
	case AT_DIRECTORY:
		c->at = AT_NOTHING;
		if (redirection(word))
			return false;
		give(c, VERDICT_DIFFERS, STR("supervise"),
		     "of the kind that takes a program: make its directory one with a program run");
		return true;
	case AT_NOTHING:
		break;
	}
	return false;
}

static void check_word(struct checking *c, struct str word)
{
	struct str name, program = base(word);
	const struct foreignprogram *foreign;

	if (argument(c, word))
		return;
	if (assigns(word, &name)) {
		check_variable(c, name);
		return;
	}
	c->tls = str_eq(program, STR("sslserver"));
	if (c->tls || str_eq(program, STR("tcpserver")))
		c->at = AT_OPTIONS;
	else if (str_eq(program, STR("qmail-smtpd")))
		c->at = AT_SMTPD;
	else if (str_eq(program, STR("supervise")))
		c->at = AT_SUPERVISE;
	else if ((foreign = foreignprograms_find(program)) != NULL && foreign->verdict != VERDICT_IGNORED)
		give(c, foreign->verdict, program, foreign->text);
}

void scriptcheck(struct str script, verdict_given *each, void *ctx)
{
	struct checking c = { .each = each, .ctx = ctx };
	struct scriptwords w = scriptwords_begin(script);
	struct str word;
	bool first;

	while (scriptwords_next(&w, &word, &first)) {
		/* What comes first ends what was before. */
		if (first)
			c.at = AT_NOTHING;
		check_word(&c, word);
	}
}

/* The variables of a rule: behind commas that are in no quotes. */
static void check_rule(const struct checking *c, struct str rule)
{
	struct str name;

	while (rule.n) {
		size_t comma = str_chr(rule, ',');
		char quote;

		rule = str_from(rule, comma + 1);
		if (!assigns(rule, &name))
			continue;
		check_variable(c, name);
		rule = str_from(rule, name.n + 1);
		if (rule.n == 0)
			break;
		quote = *rule.p;
		rule = str_from(rule, 1);
		rule = str_from(rule, str_chr(rule, quote) + 1);
	}
}

void scriptcheck_rules(struct str rules, verdict_given *each, void *ctx)
{
	struct checking c = { .each = each, .ctx = ctx };
	struct str line;

	while (str_next_line(&rules, &line))
		if (line.n && *line.p != '#')
			check_rule(&c, line);
}
