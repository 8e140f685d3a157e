#include "smtpclient/ehlo.h"

unsigned ehlo_auth_of(struct str name)
{
	if (str_ieq(name, STR("PLAIN")))
		return EHLO_PLAIN;
	if (str_ieq(name, STR("LOGIN")))
		return EHLO_LOGIN;
	return str_ieq(name, STR("CRAM-MD5")) ? EHLO_CRAM_MD5 : 0;
}

static void take_auth(struct ehlo *e, struct str names)
{
	struct str name;

	while (names.n) {
		str_cut(names, ' ', &name, &names);
		e->auth |= ehlo_auth_of(name);
	}
}

static void take_limits(struct ehlo *e, struct str limits)
{
	const struct {
		struct str name;
		uint64_t *max;
	} known[] = {
		{ STR("RCPTMAX"), &e->rcpt_max },
		{ STR("MAILMAX"), &e->mail_max },
		{ STR("RCPTDOMAINMAX"), &e->domain_max },
	};
	struct str limit, name, value;

	while (limits.n) {
		str_cut(limits, ' ', &limit, &limits);
		str_cut(limit, '=', &name, &value);
		for (size_t i = 0; i < sizeof known / sizeof *known; i++)
			if (str_ieq(name, known[i].name) && !str_to_u64(value, known[i].max))
				*known[i].max = 0;
	}
}

static void take_keyword(struct ehlo *e, struct str keyword, struct str argument)
{
	const struct {
		struct str name;
		bool *offered;
	} known[] = {
		{ STR("PIPELINING"), &e->pipelining },
		{ STR("8BITMIME"), &e->eightbitmime },
		{ STR("SMTPUTF8"), &e->smtputf8 },
		{ STR("SIZE"), &e->size },
		{ STR("STARTTLS"), &e->starttls },
		{ STR("CHUNKING"), &e->chunking },
		{ STR("DSN"), &e->dsn },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (str_ieq(keyword, known[i].name))
			*known[i].offered = true;
	if (str_ieq(keyword, STR("SIZE")) && !str_to_u64(argument, &e->size_max))
		e->size_max = 0;
	if (str_ieq(keyword, STR("AUTH")))
		take_auth(e, argument);
	if (str_ieq(keyword, STR("LIMITS")))
		take_limits(e, argument);
}

struct ehlo ehlo_parse(struct str reply)
{
	struct ehlo e = { 0 };
	struct str line, keyword, argument;

	/* The first line is the server's name. */
	str_next_line(&reply, &line);
	while (str_next_line(&reply, &line)) {
		str_cut(str_trim_end(str_from(line, 4)), ' ', &keyword, &argument);
		take_keyword(&e, keyword, argument);
		/* Servers of long ago. */
		if (str_istarts(keyword, STR("AUTH=")))
			take_auth(&e, str_from(str_trim_end(str_from(line, 4)), 5));
	}
	return e;
}
