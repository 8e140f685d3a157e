#include "mail/quote.h"

bool quote_is_atom(char c)
{
	return c > 32 && c < 127 && memchr("()<>@,;:\\\".[]", c, 13) == NULL;
}

bool quote_needed(struct str local)
{
	bool after_dot = true;

	for (size_t i = 0; i < local.n; i++) {
		bool dot = local.p[i] == '.';

		if (dot ? after_dot : !quote_is_atom(local.p[i]))
			return true;
		after_dot = dot;
	}
	return after_dot;
}

void quote_local(struct buf *out, struct str local)
{
	if (!quote_needed(local)) {
		buf_add(out, local);
		return;
	}
	buf_addc(out, '"');
	for (size_t i = 0; i < local.n; i++) {
		if (local.p[i] == '\r' || local.p[i] == '\n' || local.p[i] == '"' || local.p[i] == '\\')
			buf_addc(out, '\\');
		buf_addc(out, local.p[i]);
	}
	buf_addc(out, '"');
}

void quote_address(struct buf *out, struct str address)
{
	size_t at = str_rchr(address, '@');

	if (address.n == 0)
		return;
	quote_local(out, str_head(address, at));
	buf_add(out, str_from(address, at));
}
