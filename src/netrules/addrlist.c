#include "netrules/addrlist.h"

#include "netrules/rulesource.h"

/* The leading bits that an entry stands for. */
static bool entry_bits(struct str entry, struct buf *bits)
{
	struct inetaddr a;

	buf_clear(bits);
	if (!inetaddr_parse_ip(entry, &a))
		return rulesource_block(entry, bits);
	rulesource_add_bits(&a, a.v6 ? 128 : 32, bits);
	return true;
}

bool addrlist_check(struct str list, struct err *e)
{
	struct buf bits = BUF_INIT(200);
	struct str entry;
	bool more = true, ok = true;

	while (more && ok) {
		more = str_cut(list, ',', &entry, &list);
		ok = entry_bits(entry, &bits);
	}
	buf_free(&bits);
	return ok || err_perm(e, "%.*s is neither an IP address nor a block such as 10.0.0.0/8",
			      STR_ARG(str_head(entry, 100)));
}

bool addrlist_has(struct str list, const struct inetaddr *a)
{
	struct buf bits = BUF_INIT(200), whole = BUF_INIT(200);
	struct str entry;
	bool more = true, found = false;

	rulesource_add_bits(a, a->v6 ? 128 : 32, &whole);
	while (more && !found) {
		more = str_cut(list, ',', &entry, &list);
		found = entry_bits(entry, &bits) && str_starts(buf_str(&whole), buf_str(&bits));
	}
	buf_free(&bits);
	buf_free(&whole);
	return found;
}
