#include "notice/notice_internal.h"

#include "base/date.h"
#include "mail/dsn.h"
#include "mail/quote.h"
#include "mail/xtext.h"
#include "notice/diagnosis.h"

#define FOLD_AT 76
#define DIAGNOSTIC_MAX 2000 /* bytes of a server's words */

static const char *const actions[] = {
	[NOTICE_FAILED] = "failed",   [NOTICE_DELAYED] = "delayed",   [NOTICE_DELIVERED] = "delivered",
	[NOTICE_RELAYED] = "relayed", [NOTICE_EXPANDED] = "expanded",
};

bool notice_has_8bit(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 128)
			return true;
	return false;
}

static bool needs_utf8(struct str address)
{
	return notice_has_8bit(address) && utf8_valid(address);
}

bool notice_needs_utf8(const struct notice *n)
{
	bool needed = n->utf8 || needs_utf8(n->to);

	for (size_t i = 0; !needed && i < n->n; i++)
		needed = needs_utf8(n->recipients[i].address) || needs_utf8(n->recipients[i].orcpt);
	return needed;
}

/* What comes from outside stays in its field: control bytes become '?', and so do bytes from 128 on unless utf8. */
static void add_clean(struct buf *out, struct str s, bool utf8)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		buf_addc(out, c < 32 || c == 127 || (c > 127 && !utf8) ? '?' : s.p[i]);
	}
}

/* Words with one blank between them, folded where lines get long (RFC 5322 §2.2.3). */
static void add_folded(struct buf *out, struct str text)
{
	size_t line = out->n;
	bool blank = false;

	text = str_head(text, DIAGNOSTIC_MAX);
	for (size_t i = 0; i < text.n; i++) {
		size_t word = 0;

		if ((unsigned char)text.p[i] <= ' ') {
			blank = true;
			continue;
		}
		while (i + word < text.n && (unsigned char)text.p[i + word] > ' ')
			word++;
		if (blank && out->n - line + word > FOLD_AT) {
			buf_addc(out, '\n');
			line = out->n;
		}
		if (blank)
			buf_addc(out, ' ');
		blank = false;
		add_clean(out, str_head(str_from(text, i), word), false);
		i += word - 1;
	}
	buf_addc(out, '\n');
}

static void add_date(struct buf *out, const char *name, int64_t time)
{
	buf_addz(out, name);
	date_add_822(out, time);
	buf_addc(out, '\n');
}

static void add_message_group(struct buf *out, const struct notice *n)
{
	struct buf envid = BUF_INIT(DSN_ENVID_MAX);

	buf_addz(out, "Reporting-MTA: dns; ");
	add_clean(out, n->host, false);
	buf_addc(out, '\n');
	if (n->envid.n && xtext_decode(&envid, n->envid)) {
		buf_addz(out, "Original-Envelope-Id: ");
		add_clean(out, buf_str(&envid), false);
		buf_addc(out, '\n');
	}
	add_date(out, "Arrival-Date: ", n->arrival);
	buf_free(&envid);
}

static void add_original_recipient(struct buf *out, struct str orcpt, bool utf8)
{
	struct buf address = BUF_INIT(DSN_ORCPT_MAX);
	struct str type, text;
	bool is_utf8;

	if (!str_cut(orcpt, ';', &type, &text))
		return;
	is_utf8 = str_ieq(type, STR("utf-8"));
	/* The form for readers without UTF-8 is what was given. */
	if (is_utf8 && !utf8)
		buf_add(&address, text);
	else if (!(is_utf8 ? xtext_decode_utf8(&address, text) : xtext_decode(&address, text)))
		buf_clear(&address);
	if (address.n) {
		buf_addz(out, "Original-Recipient: ");
		add_clean(out, type, false);
		buf_addc(out, ';');
		add_clean(out, buf_str(&address), is_utf8 && utf8);
		buf_addc(out, '\n');
	}
	buf_free(&address);
}

static void add_final_recipient(struct buf *out, struct str address, bool utf8)
{
	struct buf quoted = BUF_INIT(SIZE_MAX);
	bool international = utf8 && needs_utf8(address);

	quote_address(&quoted, address);
	buf_addz(out, international ? "Final-Recipient: utf-8;" : "Final-Recipient: rfc822;");
	add_clean(out, buf_str(&quoted), international);
	buf_addc(out, '\n');
	buf_free(&quoted);
}

static void add_diagnosis(struct buf *out, const struct notice_recipient *r, char digit)
{
	struct diagnosis d = diagnose(r->report, digit);

	buf_addf(out, "Status: %s\n", d.status);
	if (d.server.n) {
		buf_addz(out, "Remote-MTA: dns; [");
		buf_addz(out, str_chr(d.server, ':') < d.server.n ? "IPv6:" : "");
		buf_add(out, d.server);
		buf_addz(out, "]\n");
	}
	if (d.reply.n) {
		buf_addz(out, "Diagnostic-Code: smtp; ");
		add_folded(out, d.reply);
	} else if (str_trim_end(r->report).n && digit != '2') {
		buf_addz(out, "Diagnostic-Code: x-qmail; ");
		add_folded(out, r->report);
	}
}

static void add_recipient_group(struct buf *out, const struct notice *n, const struct notice_recipient *r, bool utf8)
{
	char digit = r->action == NOTICE_FAILED ? '5' : r->action == NOTICE_DELAYED ? '4' : '2';

	add_original_recipient(out, r->orcpt, utf8);
	add_final_recipient(out, r->address, utf8);
	buf_addf(out, "Action: %s\n", actions[r->action]);
	add_diagnosis(out, r, digit);
	if (r->action == NOTICE_DELAYED) {
		add_date(out, "Last-Attempt-Date: ", n->now);
		add_date(out, "Will-Retry-Until: ", n->until);
	}
}

void notice_add_status(struct buf *out, const struct notice *n, bool utf8)
{
	add_message_group(out, n);
	for (size_t i = 0; i < n->n; i++) {
		buf_addc(out, '\n');
		add_recipient_group(out, n, &n->recipients[i], utf8);
	}
	buf_addc(out, '\n');
}
