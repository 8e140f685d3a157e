#include "outbound/relay.h"

#include <stdlib.h>

#include "base/mem.h"
#include "smtpclient/clientauth.h"

static const struct scheme {
	struct str name;
	uint16_t port;
	bool wrapped, lmtp, qmtp;
} schemes[] = {
	{ { "smtp://", 7 }, 25, false, false, false },  { { "smtps://", 8 }, 465, true, false, false },
	{ { "lmtp://", 7 }, 24, false, true, false },   { { "qmtp://", 7 }, OUTBOUND_QMTP_PORT, false, false, true },
	{ { "qmtps://", 8 }, 6209, true, false, true },
};

/* "host", "host:port", "[address]", "[address]:port", and as ever "[address]port". */
static bool take_host(struct relay *r, struct str text)
{
	size_t close = str_chr(text, ']');
	struct str digits;
	uint64_t n = r->port;

	if (text.n && *text.p == '[' && close < text.n) {
		r->host = str_from(str_head(text, close), 1);
		if (str_istarts(r->host, STR("IPv6:")))
			r->host = str_from(r->host, 5);
		digits = str_from(text, close + 1);
		if (digits.n && *digits.p == ':')
			digits = str_from(digits, 1);
	} else {
		str_cut(text, ':', &r->host, &digits);
	}
	if (digits.n && (!str_to_u64(digits, &n) || n == 0 || n > 65535))
		return false;
	r->port = (uint16_t)n;
	return r->host.n > 0;
}

static int hex(char c)
{
	if (chr_digit(c))
		return c - '0';
	c = chr_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* NULL: a wrong %, too long, or a NUL. */
static char *decode(struct str s, struct str *view)
{
	char *to = mem_alloc(s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		int high = s.p[i] == '%' && i + 2 < s.n ? hex(s.p[i + 1]) : -1;
		int low = high >= 0 ? hex(s.p[i + 2]) : -1;

		if (s.p[i] == '%' && low < 0)
			goto bad;
		to[n] = s.p[i] == '%' ? (char)(high * 16 + low) : s.p[i];
		i += s.p[i] == '%' ? 2 : 0;
		if (to[n++] == 0)
			goto bad;
	}
	if (n > AUTH_WORD_MAX)
		goto bad;
	*view = (struct str){ to, n };
	return to;
bad:
	free(to);
	return NULL;
}

static bool take_user(struct relay *r, struct str text)
{
	struct str user, password;

	/* QMTP knows no users. */
	if (r->policy.qmtp || !str_cut(text, ':', &user, &password) || user.n == 0)
		return false;
	r->user = decode(user, &r->policy.user);
	r->password = decode(password, &r->policy.password);
	r->verify = true;
	r->policy.tls = SESSION_TLS_MUST;
	r->policy.mechanisms = EHLO_PLAIN | EHLO_LOGIN | EHLO_CRAM_MD5;
	return r->user && r->password;
}

static bool take_tls(struct relay *r, struct str value)
{
	r->verify = str_eq(value, STR("verify"));
	r->policy.auth_in_clear = str_eq(value, STR("no"));
	if (str_eq(value, STR("no")))
		r->policy.tls = SESSION_TLS_NEVER;
	else if (str_eq(value, STR("may")))
		r->policy.tls = SESSION_TLS_MAY;
	else if (str_eq(value, STR("must")) || r->verify)
		r->policy.tls = SESSION_TLS_MUST;
	else
		return false;
	if (r->policy.qmtp && !r->policy.wrapped)
		return r->policy.tls == SESSION_TLS_NEVER;
	return !r->policy.wrapped || r->policy.tls == SESSION_TLS_MUST;
}

static bool take_options(struct relay *r, struct str options)
{
	unsigned mechanisms = 0;

	while (options.n) {
		struct str option, name, value;

		str_cut(options, '&', &option, &options);
		str_cut(option, '=', &name, &value);
		if (str_eq(name, STR("auth")) && ehlo_auth_of(value) && r->user)
			mechanisms |= ehlo_auth_of(value);
		else if (str_eq(name, STR("chunking")) && str_eq(value, STR("no")))
			r->policy.no_chunking = true;
		else if (!str_eq(name, STR("tls")) || !take_tls(r, value))
			return false;
	}
	if (mechanisms)
		r->policy.mechanisms = mechanisms;
	return true;
}

static bool parse_url(struct relay *r, const struct scheme *scheme, struct str rest)
{
	struct str authority, options;
	size_t at;

	r->port = scheme->port;
	r->policy.wrapped = scheme->wrapped;
	r->policy.lmtp = scheme->lmtp;
	r->policy.qmtp = scheme->qmtp;
	r->policy.tls = scheme->wrapped ? SESSION_TLS_MUST : scheme->qmtp ? SESSION_TLS_NEVER : SESSION_TLS_MAY;
	str_cut(rest, '?', &authority, &options);
	at = str_rchr(authority, '@');
	if (at < authority.n && !take_user(r, str_head(authority, at)))
		return false;
	return take_host(r, at < authority.n ? str_from(authority, at + 1) : authority) && take_options(r, options);
}

static bool parse_one(struct relay *r, struct str word)
{
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (str_istarts(word, schemes[i].name))
			return parse_url(r, &schemes[i], str_from(word, schemes[i].name.n));
	r->port = 25;
	r->policy.tls = SESSION_TLS_MAY;
	return take_host(r, word);
}

static size_t blank_at(struct str s)
{
	size_t space = str_chr(s, ' '), tab = str_chr(s, '\t');

	return space < tab ? space : tab;
}

bool relays_parse(struct relays *r, struct str value, struct err *e)
{
	*r = (struct relays){ 0 };
	for (value = str_trim_start(value); value.n; value = str_trim_start(value)) {
		size_t n = blank_at(value);
		struct relay *one;

		r->list = mem_array(r->list, r->n + 1, sizeof *r->list);
		one = &r->list[r->n++];
		*one = (struct relay){ 0 };
		if (!parse_one(one, str_head(value, n)) || r->n > RELAYS_MAX) {
			/* The word may hold a password. */
			size_t which = r->n;

			relays_free(r);
			return err_perm(e, "number %zu is no relay that I understand", which);
		}
		one->policy.name = one->host;
		value = str_from(value, n);
	}
	return true;
}

void relays_free(struct relays *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->list[i].user);
		free(r->list[i].password);
	}
	free(r->list);
	*r = (struct relays){ 0 };
}
