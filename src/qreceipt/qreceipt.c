/*
 * qreceipt ADDRESS: tells the sender that the message has arrived, if its
 * header asks for that with Notice-Requested-Upon-Delivery-To: ADDRESS
 * (contract §18). Exit 0, 100 or 111.
 */
#include <errno.h>
#include <unistd.h>

#include "base/date.h"
#include "base/exitcode.h"
#include "filter/tool.h"
#include "mail/address_list.h"
#include "mail/header.h"
#include "mail/quote.h"
#include "submit/submit.h"
#include "sys/clock.h"
#include "sys/io.h"

#define ME "qreceipt"
#define HEADER_MAX (1u << 20) /* a request further down does not count */
#define NOTICE_MAX (HEADER_MAX + 65536)

struct search {
	struct str address;
	bool found;
};

static void compare(void *ctx, struct token_list *address)
{
	struct search *s = ctx;
	struct buf plain = BUF_INIT(HEADER_MAX);

	tokens_add_plain(&plain, address->t, address->n);
	s->found |= str_eq(buf_str(&plain), s->address);
	buf_free(&plain);
}

static bool requested(struct str field, struct str address)
{
	struct token_list tokens = { 0 }, ignored = { 0 };
	struct search s = { address, false };

	if (tokens_scan(&tokens, header_body(field)))
		address_list_parse(&tokens, &ignored, compare, &s);
	tokens_free(&tokens);
	tokens_free(&ignored);
	return s.found;
}

/* Does the header ask for it? *id is the Message-ID as it stands there. */
static bool look(struct str message, struct str address, struct str *id)
{
	struct header_scan scan = { 0 };
	enum header_item kind;
	bool found = false;
	struct str field;

	while ((kind = header_take(&scan, &message, true, &field)) == HEADER_FIELD || kind == HEADER_MBOX_LINE) {
		if (kind != HEADER_FIELD)
			continue;
		if (str_ieq(header_name(field), STR("Notice-Requested-Upon-Delivery-To")))
			found |= requested(field, address);
		else if (str_ieq(header_name(field), STR("Message-ID")))
			*id = str_trim_end(str_trim_start(header_body(field)));
	}
	return found;
}

static void compose(struct buf *out, struct str sender, struct str address, struct str id)
{
	struct buf quoted = BUF_INIT(NOTICE_MAX);

	quote_address(&quoted, sender);
	buf_addf(out, "From: DELIVERY NOTICE SYSTEM <%.*s>\n", STR_ARG(buf_str(&quoted)));
	buf_addf(out, "To: <%.*s>\n", STR_ARG(buf_str(&quoted)));
	buf_addz(out, "Subject: success notice\nDate: ");
	date_add_822(out, clock_wall());
	buf_addz(out, "\n\nThis is the delivery notice system. Your message\n\n  Message-ID: ");
	buf_add(out, id);
	buf_addz(out, "\n\nhas been delivered to\n\n  ");
	buf_add(out, address);
	buf_addz(out, "\n\nas it asked to be told.\n");
	buf_free(&quoted);
}

static void submit(struct str notice, struct str recipient)
{
	struct submit s = SUBMIT_INIT;
	struct submit_result r;
	struct err e;

	if (!submit_begin(&s, true, &e))
		tool_die(ME, EXIT_TEMPORARY, "%s", e.text);
	submit_data(&s, notice);
	submit_sender(&s, STR(""));
	submit_recipient(&s, recipient);
	if (!submit_commit(&s, &r))
		tool_die(ME, r.letter == 'D' ? EXIT_PERMANENT : EXIT_TEMPORARY, "%s", r.text);
	submit_close(&s);
}

static void read_start(struct buf *start)
{
	while (start->n < HEADER_MAX) {
		size_t want = HEADER_MAX - start->n < 4096 ? HEADER_MAX - start->n : 4096;
		ssize_t r = io_read(0, buf_room(start, want), want);

		if (r < 0)
			tool_die(ME, EXIT_TEMPORARY, "unable to read message: %s", errno_text(errno));
		if (r == 0)
			return;
		buf_wrote(start, (size_t)r);
	}
}

int main(int argc, char **argv)
{
	struct buf start = BUF_INIT(HEADER_MAX), notice = BUF_INIT(NOTICE_MAX);
	struct str sender, id = STR("");

	if (argc != 2)
		tool_usage(ME, "deliveryaddress");
	sender = str_of(tool_variable(ME, "SENDER"));
	/* Bounces are not answered. */
	if (sender.n == 0 || str_eq(sender, STR("#@[]")))
		return 0;
	read_start(&start);
	if (look(buf_str(&start), str_of(argv[1]), &id)) {
		compose(&notice, sender, str_of(argv[1]), id);
		submit(buf_str(&notice), sender);
	}
	buf_free(&start);
	buf_free(&notice);
	return 0;
}
