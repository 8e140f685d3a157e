#include "qmtp/qmqprequest.h"

#include "qmtp/netreader.h"

bool qmqprequest_envelope_whole(struct str envelope, size_t *at)
{
	while (*at < envelope.n) {
		struct str rest = str_from(envelope, *at);
		size_t nul = str_chr(rest, 0);

		if ((*at && *rest.p == 0) || *rest.p != (*at ? 'T' : 'F'))
			return true;
		if (nul == rest.n)
			return false;
		*at += nul + 1;
	}
	return false;
}

/* Appends sender and recipients. */
static bool add_envelope(struct str envelope, struct buf *out)
{
	struct str address, rest;
	char letter = 'F';

	for (; str_cut(envelope, 0, &address, &rest); envelope = rest) {
		if (address.n == 0)
			return letter == 'T';
		if (*address.p != letter)
			return false;
		netstring_add(out, str_from(address, 1));
		letter = 'T';
	}
	return false;
}

bool qmqprequest_make(struct str message, struct str envelope, struct buf *request)
{
	struct buf addresses = BUF_INIT(2ull * QMQPREQUEST_ENVELOPE_MAX);
	bool ok = add_envelope(envelope, &addresses) && buf_ok(&addresses);
	size_t digits = 1;

	for (size_t n = message.n; n >= 10; n /= 10)
		digits++;
	if (ok) {
		buf_addu(request, digits + 1 + message.n + 1 + addresses.n);
		buf_addc(request, ':');
		netstring_add(request, message);
		buf_add(request, buf_str(&addresses));
		buf_addc(request, ',');
	}
	buf_free(&addresses);
	return ok && buf_ok(request);
}

bool qmqprequest_server(struct str line, struct str *host, uint16_t *port)
{
	size_t colon = str_rchr(line, ':');
	uint64_t number;

	*host = line;
	/* More than one colon is an IPv6 address, with a port only behind brackets. */
	if (colon < line.n && (str_chr(line, ':') == colon || (colon && line.p[colon - 1] == ']'))) {
		if (!str_to_u64(str_from(line, colon + 1), &number) || number == 0 || number > 65535)
			return false;
		*port = (uint16_t)number;
		*host = str_head(line, colon);
	}
	return host->n > 0;
}
