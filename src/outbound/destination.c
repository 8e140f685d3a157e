#include "outbound/destination.h"

#include "idn/idn.h"
#include "sys/random.h"

#define MYSELF                                                                     \
	"Sorry. Although I'm listed as a best-preference MX or A for that host,\n" \
	"it isn't in my control/locals file, so I don't treat it as local. (#5.4.6)\n"

static void finish(struct destination *d, char letter, const char *text)
{
	d->letter = d->soft && letter == 'D' ? 'Z' : letter;
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

static void set_single(struct destination *d, const struct peeraddress *a, struct str name)
{
	d->addresses[0] = *a;
	d->qmtp[0] = false;
	d->n = 1;
	buf_add(&d->names, name);
	d->name_at[0] = 0;
	d->name_end[0] = (uint32_t)d->names.n;
}

/* Forgets what the relay before left. */
static void restart(struct destination *d)
{
	d->ask = 0;
	d->letter = 0;
	d->n = 0;
	d->port = 25;
	buf_clear(&d->text);
	buf_clear(&d->detail);
	buf_clear(&d->names);
}

static void begin_relay(struct destination *d)
{
	const struct relay *relay = &d->relays->list[d->relay];
	struct peeraddress a;

	d->port = relay->port;
	if (peeraddress_parse(relay->host, &a)) {
		set_single(d, &a, relay->host);
		return;
	}
	d->ask = DNS_HOST;
	d->ask_name = relay->host;
}

static void begin_route(struct destination *d, const struct outsettings *s, struct str value)
{
	d->relays = outsettings_relays(s, value);
	if (d->relays) {
		begin_relay(d);
		return;
	}
	finish(d, 'Z', "Unable to read control files. (#4.3.0)\n");
	buf_addz(&d->detail, "In control/smtproutes, the line for ");
	add_visible(&d->detail, str_head(d->host, 200));
	buf_addz(&d->detail, " makes no sense.\n");
}

static void begin_domain(struct destination *d)
{
	d->ask_name = d->host;
	if (idn_needed(d->host)) {
		if (!idn_to_ascii(&d->ascii, d->host)) {
			finish_about_host(d, 'D', "Sorry, I couldn't find any host named ", ". (#5.1.2)\n");
			return;
		}
		d->ask_name = buf_str(&d->ascii);
	}
	d->ask = DNS_MAIL;
}

void destination_begin(struct destination *d, const struct outsettings *s, struct str host)
{
	struct peeraddress a;
	struct str value;

	d->host = host;
	d->relays = NULL;
	d->family = outsettings_family(s, host);
	d->relay = 0;
	d->soft = false;
	d->text = d->detail = d->ascii = BUF_INIT(5000);
	d->names = BUF_INIT(DNS_SET_MAX * DNS_NAME_MAX);
	restart(d);
	if ((control_map_find_domain(&s->smtproutes, host, &value) ||
	     control_map_find(&s->smtproutes, STR(""), &value)) &&
	    value.n) {
		begin_route(d, s, value);
		return;
	}
	if (!peeraddress_parse(host, &a)) {
		begin_domain(d);
		return;
	}
	if (ownaddresses_has(&s->own, &a))
		finish(d, 'D', MYSELF);
	else
		set_single(d, &a, host);
}

bool destination_next(struct destination *d)
{
	if (d->relays == NULL || d->relay + 1 >= d->relays->n)
		return false;
	d->soft |= d->letter != 'D';
	d->relay++;
	restart(d);
	begin_relay(d);
	return true;
}

struct str destination_name(const struct destination *d, size_t i)
{
	return str_from(str_head(buf_str(&d->names), d->name_end[i]), d->name_at[i]);
}

uint16_t destination_port(const struct destination *d, size_t i)
{
	return d->qmtp[i] ? OUTBOUND_QMTP_PORT : d->port;
}

bool destination_policy(const struct destination *d, struct outsettings *s, size_t i, struct session_policy *p)
{
	bool verify = false;

	*p = (struct session_policy){ .tls = SESSION_TLS_MAY };
	if (d->relays) {
		*p = d->relays->list[d->relay].policy;
		verify = d->relays->list[d->relay].verify;
	}
	p->name = destination_name(d, i);
	p->no_chunking |= s->chunking == 0;
	tlshosts_apply(&s->tls, p, verify);
	if (!d->qmtp[i])
		return true;
	p->qmtp = true;
	if (p->tls == SESSION_TLS_MUST)
		return false;
	p->tls = SESSION_TLS_NEVER;
	return true;
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

	if (d->relays)
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

static void swap_numbers(uint32_t *list, size_t i, size_t k)
{
	uint32_t at = list[i];

	list[i] = list[k];
	list[k] = at;
}

static void swap(struct destination *d, size_t i, size_t k)
{
	struct peeraddress a = d->addresses[i];

	d->addresses[i] = d->addresses[k];
	d->addresses[k] = a;
	swap_numbers(d->name_at, i, k);
	swap_numbers(d->name_end, i, k);
}

/* Puts what is from first on into random order, as far as the families leave it to chance. */
static void shuffle(struct destination *d, size_t first)
{
	for (size_t i = d->n; i > first + 1; i--)
		swap(d, first + random_below((uint32_t)(i - first)), i - 1);
	for (size_t i = first; i < d->n; i++)
		swap(d, i, family_pick(d->family, d->addresses, first, i, d->n));
}

static void take_address(struct destination *d, const struct dns_record *r)
{
	size_t before = d->names.n;

	if (!address_of(r, &d->addresses[d->n]) || !family_allows(d->family, d->addresses[d->n].v6))
		return;
	d->qmtp[d->n] = false;
	if (d->n &&
	    str_eq(r->name, str_from(str_head(buf_str(&d->names), d->name_end[d->n - 1]), d->name_at[d->n - 1]))) {
		d->name_at[d->n] = d->name_at[d->n - 1];
		d->name_end[d->n] = d->name_end[d->n - 1];
	} else {
		buf_add(&d->names, r->name);
		d->name_at[d->n] = (uint32_t)before;
		d->name_end[d->n] = (uint32_t)d->names.n;
	}
	d->n++;
}

/* MXPS: the preferences that say QMTP. */
static bool preference_says_qmtp(uint32_t preference)
{
	return preference >= 12800 && preference <= 13055 && preference % 16 == 1;
}

/* Each address from first on becomes two: by QMTP, and as it was. */
static void add_qmtp(struct destination *d, size_t first)
{
	size_t n = d->n - first;

	if (d->n + n > DNS_SET_MAX)
		return;
	d->n += n;
	while (n-- > 0)
		for (size_t twin = 2; twin-- > 0;) {
			size_t to = first + 2 * n + twin;

			d->addresses[to] = d->addresses[first + n];
			d->name_at[to] = d->name_at[first + n];
			d->name_end[to] = d->name_end[first + n];
			d->qmtp[to] = twin == 0;
		}
}

/* Addresses better than ours, by ascending preference, equal ones in random order. */
static void take_addresses(struct destination *d, const struct outsettings *s, const struct dns_answer *a,
			   uint32_t below)
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
			if (a->records[i].preference == lowest)
				take_address(d, &a->records[i]);
		shuffle(d, first);
		if (s->mxps && d->relays == NULL && preference_says_qmtp(lowest))
			add_qmtp(d, first);
		done_below = lowest + 1;
	}
}

static void answer_found(struct destination *d, const struct outsettings *s, const struct dns_answer *a)
{
	uint32_t own = own_preference(d, s, a);

	take_addresses(d, s, a, own);
	if (d->n)
		return;
	if (own < 65536)
		finish(d, 'D', MYSELF);
	else
		finish(d, 'Z', "Sorry, I couldn't find any host by that name. (#4.1.2)\n");
	if (own == 65536 && d->family != FAMILY_ANY && a->n)
		buf_addz(&d->detail, "It has no address of the family that control/addressfamily allows.\n");
}

static void add_why(struct destination *d, const struct dns_answer *a)
{
	if (a->why.n == 0)
		return;
	buf_addz(&d->detail, "DNS: ");
	for (size_t i = 0; i < a->why.n; i++)
		buf_addc(&d->detail, a->why.p[i] < 32 || a->why.p[i] > 126 ? '?' : a->why.p[i]);
	buf_addz(&d->detail, ".\n");
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
		add_why(d, a);
		return;
	case DNS_TEMPORARY:
	case DNS_BAD_MX:
		break;
	}
	finish(d, 'Z', "Sorry, I couldn't find any host by that name. (#4.1.2)\n");
	add_why(d, a);
}

int64_t destination_connect_ms(const struct destination *d, const struct outsettings *s, size_t i)
{
	uint64_t seconds = s->timeout_connect;

	if (seconds > FAMILY_SECONDS && family_other_follows(d->addresses, i, d->n))
		seconds = FAMILY_SECONDS;
	return (int64_t)seconds * 1000;
}

void destination_free(struct destination *d)
{
	buf_free(&d->text);
	buf_free(&d->detail);
	buf_free(&d->names);
	buf_free(&d->ascii);
}
