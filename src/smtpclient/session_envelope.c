/* session_envelope: MAIL and RCPT as this server understands them. */
#include <assert.h>

#include "idn/idn.h"
#include "mail/dsn.h"
#include "mail/quote.h"
#include "smtpclient/clientsession_internal.h"

/* The first recipient from i on that is asked for. */
size_t session_skip_unsendable(const struct transaction *t, size_t i)
{
	while (i < t->nrecipients && t->rcpt[i].letter == 'h')
		i++;
	return i;
}

void session_add_ascii(struct buf *b, struct str address)
{
	size_t at = str_rchr(address, '@'), before = b->n;

	buf_add(b, str_head(address, at + 1));
	if (at < address.n && idn_to_ascii(b, str_from(address, at + 1)))
		return;
	buf_truncate(b, before);
	buf_add(b, address);
}

static void put_address(struct session *s, const char *before, struct str address)
{
	struct buf ascii = BUF_INIT(5000);

	/* The one place where addresses reach the wire. */
	assert(transaction_address_valid(address));
	if (!s->ehlo.smtputf8 && idn_needed(address)) {
		session_add_ascii(&ascii, address);
		address = buf_str(&ascii);
	}
	buf_addz(&s->out, before);
	quote_address(&s->out, address);
	buf_addc(&s->out, '>');
	buf_free(&ascii);
}

static bool has_utf8(const struct transaction *t)
{
	bool found = idn_needed(t->sender);

	for (size_t i = 0; i < t->nrecipients; i++)
		found |= idn_needed(t->recipients[i]);
	return found;
}

static void put_message_wishes(struct session *s, const struct transaction_wishes *w)
{
	if (w->ret != DSN_RET_ANY) {
		buf_addz(&s->out, " RET=");
		dsn_add_ret(&s->out, w->ret);
	}
	if (dsn_envid_ok(w->envid)) {
		buf_addz(&s->out, " ENVID=");
		buf_add(&s->out, w->envid);
	}
}

static void put_recipient_wishes(struct session *s, const struct transaction_wishes *w, size_t i)
{
	size_t at = w->index ? w->index[i] : i;
	bool utf8_only = idn_needed(w->orcpt[at]) && !s->ehlo.smtputf8;

	if (w->notify[at]) {
		buf_addz(&s->out, " NOTIFY=");
		dsn_add_notify(&s->out, w->notify[at]);
	}
	if (dsn_orcpt_ok(w->orcpt[at]) && !utf8_only) {
		buf_addz(&s->out, " ORCPT=");
		buf_add(&s->out, w->orcpt[at]);
	}
}

void session_put_mail(struct session *s, const struct transaction *t)
{
	put_address(s, "MAIL FROM:<", t->sender);
	if (s->ehlo.size && t->wire_size) {
		buf_addz(&s->out, " SIZE=");
		buf_addu(&s->out, t->wire_size);
	}
	if (s->ehlo.eightbitmime && t->eightbit)
		buf_addz(&s->out, " BODY=8BITMIME");
	if (s->ehlo.smtputf8 && (t->smtputf8 || has_utf8(t)))
		buf_addz(&s->out, " SMTPUTF8");
	if (t->wishes && s->ehlo.dsn)
		put_message_wishes(s, t->wishes);
	buf_addz(&s->out, "\r\n");
}

void session_put_rcpt(struct session *s, const struct transaction *t, size_t i)
{
	put_address(s, "RCPT TO:<", t->recipients[i]);
	if (t->wishes && s->ehlo.dsn)
		put_recipient_wishes(s, t->wishes, i);
	buf_addz(&s->out, "\r\n");
}

/* Behind the last recipient that fits into one transaction. */
size_t session_end_of_envelope(const struct session *s, const struct transaction *t)
{
	uint64_t max = s->ehlo.rcpt_max;
	size_t i = t->next_rcpt;

	if (s->rcpt_max && (max == 0 || s->rcpt_max < max))
		max = s->rcpt_max;
	if (max == 0 || !t->may_split)
		return t->nrecipients;
	while (i < t->nrecipients && max-- > 0)
		i = session_skip_unsendable(t, i + 1);
	return i;
}

static bool has_domain(const struct buf *domains, struct str domain)
{
	struct str rest = buf_str(domains), line;

	while (str_next_line(&rest, &line))
		if (str_ieq(line, domain))
			return true;
	return false;
}

/* The domains in t that are new to the list; they are added. */
static size_t add_domains(struct buf *domains, const struct transaction *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->nrecipients; i++) {
		struct str domain = str_from(t->recipients[i], str_rchr(t->recipients[i], '@') + 1);

		if (t->rcpt[i].letter == 'h' || has_domain(domains, domain))
			continue;
		buf_add(domains, domain);
		buf_addc(domains, '\n');
		n++;
	}
	return n;
}

bool session_admits(const struct session *s, const struct transaction *t)
{
	struct buf domains = BUF_INIT(SESSION_OUT_MAX);
	size_t more;

	if (s->ehlo.domain_max == 0 || s->ndomains == 0)
		return true;
	buf_add(&domains, buf_str(&s->domains));
	more = add_domains(&domains, t);
	buf_free(&domains);
	return s->ndomains + more <= s->ehlo.domain_max;
}

void session_note_domains(struct session *s, const struct transaction *t)
{
	if (s->ehlo.domain_max)
		s->ndomains += add_domains(&s->domains, t);
}

static bool local_part_needs_utf8(struct str address)
{
	return idn_needed(str_head(address, str_rchr(address, '@')));
}

/* A message that was given to us as one that needs SMTPUTF8: does it, when its domains have A-labels? */
bool session_needs_utf8(const struct session *s, const struct transaction *t)
{
	bool needed = local_part_needs_utf8(t->sender);

	if (!t->smtputf8 || s->ehlo.smtputf8)
		return false;
	for (size_t i = 0; i < t->nrecipients; i++)
		needed |= local_part_needs_utf8(t->recipients[i]);
	return needed;
}
