#include "notice/notice.h"

#include "base/date.h"
#include "mail/quote.h"
#include "mail/xtext.h"
#include "notice/notice_internal.h"

static const struct wording {
	const char *subject;
	const char *greeting; /* begins the text; the program's name follows */
	const char *intro;
	const char *whole, *header; /* the last line of the text, by what of the original follows */
} wordings[] = {
	[NOTICE_BOUNCE] = { "failure notice", "Hi. This is the ",
			    "I'm afraid I wasn't able to deliver your message to the following addresses.\n"
			    "This is a permanent error; I've given up. Sorry it didn't work out.\n\n",
			    "--- Below this line is a copy of the message.\n",
			    "--- Below this line is a copy of the mail header.\n" },
	[NOTICE_DOUBLE_BOUNCE] = { "failure notice", "Hi. This is the ",
				   "I tried to deliver a bounce message to this address, but the bounce bounced!\n\n",
				   "--- Below this line is the original bounce.\n",
				   "--- Below this line is the header of the original bounce.\n" },
	/* Nobody may take these for failures: they do not begin as QSBMF does. */
	[NOTICE_DELAY] = { "deferral notice", "This is the ",
			   "I haven't been able to deliver your message to the following addresses yet.\n"
			   "I keep trying; you need not send it again.",
			   "--- Below this line is a copy of the message.\n",
			   "--- Below this line is a copy of the mail header.\n" },
	[NOTICE_SUCCESS] = { "success notice", "This is the ", "You asked to be told what became of your message.\n\n",
			     "--- Below this line is a copy of the message.\n",
			     "--- Below this line is a copy of the mail header.\n" },
};

static const char *const outcomes[] = {
	[NOTICE_DELIVERED] = "delivered\n",
	[NOTICE_RELAYED] = "sent on to where no further notice may come from\n",
	[NOTICE_EXPANDED] = "sent on to the addresses behind it\n",
};

/*
 * The lines behind a line "<address>:". Of several LFs in a row all but the first become '/', so that no empty line
 * seems to end the paragraph; the report's last LF stays what it is, as in qmail.
 */
static void add_report(struct buf *out, struct str text)
{
	char before = '\n';

	for (size_t i = 0; i < text.n; i++) {
		bool empty = text.p[i] == '\n' && before == '\n';

		buf_addc(out, empty && i + 1 < text.n ? '/' : text.p[i]);
		before = text.p[i];
	}
	if (before != '\n')
		buf_addc(out, '\n');
}

static void add_paragraph(struct buf *out, const struct notice_recipient *r)
{
	buf_addc(out, '<');
	for (size_t i = 0; i < r->address.n; i++)
		buf_addc(out, r->address.p[i] == '\n' ? '_' : r->address.p[i]);
	buf_addz(out, ">:\n");
	if (r->action < NOTICE_DELIVERED)
		add_report(out, r->report);
	else
		buf_addz(out, outcomes[r->action]);
	buf_addc(out, '\n');
}

/* The text up to, and without, the line about the original. */
static void add_text(struct buf *out, const struct notice *n)
{
	buf_addz(out, wordings[n->kind].greeting);
	buf_addz(out, n->program ? n->program : "qmail-send");
	buf_addz(out, " program at ");
	buf_add(out, n->host);
	buf_addz(out, ".\n");
	buf_addz(out, wordings[n->kind].intro);
	if (n->kind == NOTICE_DELAY) {
		buf_addz(out, " If it does not work by\n");
		date_add_822(out, n->until);
		buf_addz(out, ", I'll give up and tell you.\n\n");
	}
	for (size_t i = 0; i < n->n; i++)
		add_paragraph(out, &n->recipients[i]);
}

static void add_last_line(struct buf *out, const struct notice *n)
{
	buf_addz(out, n->header_only ? wordings[n->kind].header : wordings[n->kind].whole);
}

static void add_return_path(struct buf *out, const struct notice *n)
{
	buf_addz(out, "Return-Path: <");
	quote_address(out, n->return_path);
	buf_addz(out, ">\n");
}

static void add_boundary(struct buf *out, const struct notice *n)
{
	buf_addz(out, "--=_");
	buf_add(out, n->unique);
}

static void begin_part(struct buf *out, const struct notice *n, const char *type)
{
	add_boundary(out, n);
	buf_addz(out, "\nContent-Type: ");
	buf_addz(out, type);
	buf_addc(out, '\n');
}

static void add_mime_fields(struct buf *out, const struct notice *n)
{
	buf_addz(out, "Message-ID: <");
	date_add_compact(out, n->now);
	buf_addf(out, ".%lu.qmail@", n->pid);
	buf_add(out, n->host);
	buf_addz(out, ">\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n"
		      "Content-Type: multipart/report; report-type=delivery-status;\n\tboundary=\"=_");
	buf_add(out, n->unique);
	buf_addz(out, "\"\n");
}

static void add_fields(struct buf *out, const struct notice *n)
{
	buf_addz(out, "Date: ");
	date_add_822(out, n->now);
	buf_addz(out, "\nFrom: ");
	quote_local(out, n->from);
	buf_addc(out, '@');
	buf_add(out, n->host);
	buf_addz(out, "\nTo: ");
	quote_address(out, n->to);
	buf_addz(out, "\nSubject: ");
	buf_addz(out, wordings[n->kind].subject);
	buf_addz(out, "\n\n");
}

static void add_text_part(struct buf *out, const struct notice *n, struct str text)
{
	begin_part(out, n,
		   !notice_has_8bit(text) ? "text/plain; charset=us-ascii"
		   : utf8_valid(text)     ? "text/plain; charset=utf-8"
					  : "text/plain; charset=unknown-8bit");
	if (notice_has_8bit(text))
		buf_addz(out, "Content-Transfer-Encoding: 8bit\n");
	buf_addc(out, '\n');
	buf_add(out, text);
	add_last_line(out, n);
	buf_addc(out, '\n');
}

static void add_status_part(struct buf *out, const struct notice *n)
{
	bool utf8 = notice_needs_utf8(n);

	begin_part(out, n, utf8 ? "message/global-delivery-status" : "message/delivery-status");
	if (utf8)
		buf_addz(out, "Content-Transfer-Encoding: 8bit\n");
	buf_addc(out, '\n');
	notice_add_status(out, n, utf8);
}

static void begin_original_part(struct buf *out, const struct notice *n)
{
	if (n->header_only)
		begin_part(out, n, n->utf8 ? "message/global-headers" : "text/rfc822-headers");
	else
		begin_part(out, n, n->utf8 ? "message/global" : "message/rfc822");
	if (n->eight_bit)
		buf_addz(out, "Content-Transfer-Encoding: 8bit\n");
	buf_addc(out, '\n');
}

static bool is_plain(const struct notice *n)
{
	return n->plain && n->kind <= NOTICE_DOUBLE_BOUNCE;
}

void notice_head(struct buf *out, const struct notice *n)
{
	struct buf text = BUF_INIT(SIZE_MAX);

	add_text(&text, n);
	if (is_plain(n)) {
		add_fields(out, n);
		buf_add(out, buf_str(&text));
		add_last_line(out, n);
		buf_addc(out, '\n');
	} else {
		add_mime_fields(out, n);
		add_fields(out, n);
		if (n->kind <= NOTICE_DOUBLE_BOUNCE)
			buf_add(out, buf_str(&text));
		add_text_part(out, n, buf_str(&text));
		add_status_part(out, n);
		begin_original_part(out, n);
	}
	add_return_path(out, n);
	buf_free(&text);
}

void notice_tail(struct buf *out, const struct notice *n)
{
	if (is_plain(n))
		return;
	/* The line end before a boundary belongs to it: the original keeps its own. */
	buf_addc(out, '\n');
	add_boundary(out, n);
	buf_addz(out, "--\n");
}

size_t notice_header_length(struct str message)
{
	if (str_starts(message, STR("\n")))
		return 0;
	return str_find(message, STR("\n\n")) < message.n ? str_find(message, STR("\n\n")) + 1 : message.n;
}
