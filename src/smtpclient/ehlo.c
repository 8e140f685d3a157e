#include "smtpclient/ehlo.h"

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
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (str_ieq(keyword, known[i].name))
			*known[i].offered = true;
	if (str_ieq(keyword, STR("SIZE")) && !str_to_u64(str_trim_end(argument), &e->size_max))
		e->size_max = 0;
}

struct ehlo ehlo_parse(struct str reply)
{
	struct ehlo e = { 0 };
	struct str line, keyword, argument;

	/* The first line is the server's name. */
	str_next_line(&reply, &line);
	while (str_next_line(&reply, &line)) {
		str_cut(str_from(line, 4), ' ', &keyword, &argument);
		take_keyword(&e, str_trim_end(keyword), argument);
	}
	return e;
}
