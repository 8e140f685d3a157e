#include "outbound/family.h"

static const struct {
	const char *text;
	enum family f;
} choices[] = {
	{ "any", FAMILY_ANY },       { "4", FAMILY_V4_FIRST },    { "6", FAMILY_V6_FIRST },
	{ "4only", FAMILY_V4_ONLY }, { "6only", FAMILY_V6_ONLY },
};

bool family_parse(struct str text, enum family *f)
{
	for (size_t i = 0; i < sizeof choices / sizeof *choices; i++)
		if (str_ieq(text, str_of(choices[i].text))) {
			*f = choices[i].f;
			return true;
		}
	return false;
}

bool family_allows(enum family f, bool v6)
{
	return v6 ? f != FAMILY_V4_ONLY : f != FAMILY_V6_ONLY;
}

size_t family_pick(enum family f, const struct peeraddress *list, size_t first, size_t i, size_t n)
{
	bool want_v6;

	if (f == FAMILY_ANY && i == first)
		return i;
	want_v6 = f == FAMILY_ANY ? !list[i - 1].v6 : f == FAMILY_V6_FIRST;
	for (size_t k = i; k < n; k++)
		if (list[k].v6 == want_v6)
			return k;
	return i;
}

bool family_other_follows(const struct peeraddress *list, size_t i, size_t n)
{
	for (size_t k = i + 1; k < n; k++)
		if (list[k].v6 != list[i].v6)
			return true;
	return false;
}
