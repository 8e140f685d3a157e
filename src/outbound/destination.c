#include "outbound/destination.h"

#include "sys/random.h"

#define MYSELF                                                                     \
	"Sorry. Although I'm listed as a best-preference MX or A for that host,\n" \
	"it isn't in my control/locals file, so I don't treat it as local. (#5.4.6)\n"

static void finish(struct destination *d, char letter, const char *text)
{
	d->letter = letter;
	buf_clear(&d->text);
	buf_addz(&d->text, text);
}

static void add_visible(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_addc(b, s.p[i] < 33 || s.p[i] > 126 ? '?' : s.p[i]);
}

static void finish_about_host(struct destination *d, char letter, const char *before, const char *after)
{
	finish(d, letter, before);
	add_visible(&d->text, d->host);
	buf_addz(&d->text, after);
}

/* "relay", "relay:port", "[address]:port"; false: the port is none. */
static bool split_relay(struct str value, struct str *relay, uint16_t *port)
{
	size_t close = str_chr(value, ']');
	struct str digits;
	uint64_t n = 25;

	if (value.n && *value.p == '[' && close < value.n) {
		*relay = str_head(value, close + 1);
		digits = str_from(value, close + 1);
		if (digits.n && *digits.p == ':')
			digits = str_from(digits, 1);
	} else {
		str_cut(value, ':', relay, &digits);
	}
	if (digits.n && (!str_to_u64(digits, &n) || n == 0 || n > 65535))
		return false;
	*port = (uint16_t)n;
	return true;
}

static void set_single(struct destination *d, const struct peeraddress *a)
{
	d->addresses[0] = *a;
	d->n = 1;
}

static void begin_relay(struct destination *d, struct str value)
{
	struct peeraddress a;
	struct str relay;

	d->routed = true;
	if (!split_relay(value, &relay, &d->port)) {
		finish(d, 'Z', "Unable to read control files. (#4.3.0)\n");
		buf_addf(&d->detail, "In control/smtproutes, %.*s names no port.\n", STR_ARG(str_head(value, 200)));
		return;
	}
	if (peeraddress_parse(relay, &a)) {
		set_single(d, &a);
		return;
	}
	if (relay.n > 2 && *relay.p == '[' && relay.p[relay.n - 1] == ']')
		relay = str_head(str_from(relay, 1), relay.n - 2);
	d->ask = DNS_HOST;
	d->ask_name = relay;
}

void destination_begin(struct destination *d, const struct outsettings *s, struct str host)
{
	struct peeraddress a;
	struct str value;

	d->host = host;
	d->port = 25;
	d->routed = false;
	d->ask = 0;
	d->letter = 0;
	d->text = d->detail = BUF_INIT(5000);
	d->n = 0;
	if ((control_map_find_domain(&s->smtproutes, host, &value) ||
	     control_map_find(&s->smtproutes, STR(""), &value)) &&
	    value.n) {
		begin_relay(d, value);
		return;
	}
	if (!peeraddress_parse(host, &a)) {
		d->ask = DNS_MAIL;
		d->ask_name = host;
		return;
	}
	if (ownaddresses_has(&s->own, &a))
		finish(d, 'D', MYSELF);
	else
		set_single(d, &a);
}

static bool address_of(const struct dns_record *r, struct peeraddress *a)
{
	if (r->type != DNS_A && r->type != DNS_AAAA)
		return false;
	*a = (struct peeraddress){ .v6 = r->type == DNS_AAAA };
	memcpy(a->bytes, r->data.p, r->data.n);
	return true;
}

/* The lowest preference at which this host is an exchanger itself, by name or address; 65536: it is none. */
static uint32_t own_preference(const struct destination *d, const struct outsettings *s, const struct dns_answer *a)
{
	uint32_t lowest = 65536;
	struct peeraddress address;

	if (d->routed)
		return lowest;
	for (uint32_t i = 0; i < a->n; i++) {
		const struct dns_record *r = &a->records[i];
		bool own = r->type == DNS_MX ? s->me.n && str_ieq(r->name, buf_str(&s->me))
					     : address_of(r, &address) && ownaddresses_has(&s->own, &address);

		if (own && r->preference < lowest)
			lowest = r->preference;
	}
	return lowest;
}

static void shuffle(struct peeraddress *list, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t k = random_below((uint32_t)i);
		struct peeraddress a = list[k];

		list[k] = list[i - 1];
		list[i - 1] = a;
	}
}

/* Addresses better than ours, by ascending preference, equal ones in random order. */
static void take_addresses(struct destination *d, const struct dns_answer *a, uint32_t below)
{
	uint32_t done_below = 0;

	/* The resolver sorts, but is not trusted to; each round takes the lowest preference that is left. */
	while (done_below < below) {
		uint32_t lowest = below;
		size_t first = d->n;

		for (uint32_t i = 0; i < a->n; i++) {
			const struct dns_record *r = &a->records[i];

			if ((r->type == DNS_A || r->type == DNS_AAAA) && r->preference >= done_below &&
			    r->preference < lowest)
				lowest = r->preference;
		}
		if (lowest == below)
			return;
		for (uint32_t i = 0; i < a->n && d->n < DNS_SET_MAX; i++)
			if (a->records[i].preference == lowest && address_of(&a->records[i], &d->addresses[d->n]))
				d->n++;
		shuffle(d->addresses + first, d->n - first);
		done_below = lowest + 1;
	}
}

static void answer_found(struct destination *d, const struct outsettings *s, const struct dns_answer *a)
{
	uint32_t own = own_preference(d, s, a);

	take_addresses(d, a, own);
	if (d->n)
		return;
	if (own < 65536)
		finish(d, 'D', MYSELF);
	else
		finish(d, 'Z', "Sorry, I couldn't find any host by that name. (#4.1.2)\n");
}

static void answer_temporary(struct destination *d, const struct dns_answer *a)
{
	finish(d, 'Z', "Sorry, I couldn't find any host by that name. (#4.1.2)\n");
	if (a->why.n) {
		buf_addz(&d->detail, "DNS: ");
		for (size_t i = 0; i < a->why.n; i++)
			buf_addc(&d->detail, a->why.p[i] < 32 || a->why.p[i] > 126 ? '?' : a->why.p[i]);
		buf_addz(&d->detail, ".\n");
	}
}

void destination_answer(struct destination *d, const struct outsettings *s, const struct dns_answer *a)
{
	switch ((enum dns_outcome)a->outcome) {
	case DNS_FOUND:
		answer_found(d, s, a);
		return;
	case DNS_NO_NAME:
	case DNS_NO_DATA:
		finish_about_host(d, 'D', "Sorry, I couldn't find any host named ", ". (#5.1.2)\n");
		return;
	case DNS_NULL_MX:
		finish_about_host(d, 'D', "Sorry, ", " does not accept mail: it has a null MX. (#5.1.10)\n");
		return;
	case DNS_DEAD_MX:
		finish(d, 'D', "Sorry, I couldn't find a mail exchanger or IP address. (#5.4.4)\n");
		return;
	case DNS_TEMPORARY:
	case DNS_BAD_MX:
		break;
	}
	answer_temporary(d, a);
}

void destination_free(struct destination *d)
{
	buf_free(&d->text);
	buf_free(&d->detail);
}
