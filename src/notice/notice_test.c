#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "notice/notice.h"

static struct notice example(const struct notice_recipient *r)
{
	return (struct notice){
		.from = STR("MAILER-DAEMON"),
		.host = STR("a.test"),
		.to = STR("joe@b.test"),
		.return_path = STR("joe@b.test"),
		.unique = STR("0123abcd"),
		.pid = 42,
		.until = 86400,
		.recipients = r,
		.n = 1,
	};
}

static char *head(const struct notice *n, struct buf *b)
{
	buf_clear(b);
	notice_head(b, n);
	return (char *)(uintptr_t)buf_cstr(b);
}

static void has(struct buf *b, const char *text)
{
	if (str_find(buf_str(b), str_of(text)) == b->n)
		fail_msg("no \"%s\" in:\n%s", text, buf_cstr(b));
}

static void lacks(struct buf *b, const char *text)
{
	if (str_find(buf_str(b), str_of(text)) < b->n)
		fail_msg("\"%s\" in:\n%s", text, buf_cstr(b));
}

#define GREETING                                                                         \
	"Hi. This is the qmail-send program at a.test.\n"                                \
	"I'm afraid I wasn't able to deliver your message to the following addresses.\n" \
	"This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
#define FIELDS                                                                                   \
	"Date: 1 Jan 1970 00:00:00 -0000\nFrom: MAILER-DAEMON@a.test\nTo: joe@b.test\nSubject: " \
	"failure notice\n\n"

static void plain_form(void **state)
{
	const struct notice_recipient r = { .address = STR("x\ny@c.test"), .report = STR("one\n\n\n\nfive") };
	struct notice n = example(&r);
	struct buf b = BUF_INIT(SIZE_MAX);

	(void)state;
	n.plain = true;
	assert_string_equal(head(&n, &b), FIELDS GREETING "<x_y@c.test>:\none\n///five\n\n"
							  "--- Below this line is a copy of the message.\n\n"
							  "Return-Path: <joe@b.test>\n");
	buf_clear(&b);
	notice_tail(&b, &n);
	assert_int_equal(b.n, 0);
	n.kind = NOTICE_DELAY;
	head(&n, &b);
	has(&b, "multipart/report");
	buf_free(&b);
}

/* As qmail has them, byte for byte. */
static void paragraphs(void **state)
{
	static const char *const texts[][2] = {
		{ "", "" },
		{ "a", "a\n" },
		{ "a\n", "a\n" },
		{ "\n", "\n" },
		{ "\n\n\n", "//\n" },
		{ "\n\na", "//a\n" },
		{ "a\n\n", "a\n\n" },
		{ "a\n\n\n", "a\n/\n" },
		{ "a\n \nb", "a\n \nb\n" },
		{ "a\n\nb\n\n\nc\n", "a\n/b\n//c\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		const struct notice_recipient r = { .address = STR("x@c.test"), .report = str_of(texts[i][0]) };
		struct notice n = example(&r);
		struct buf b = BUF_INIT(SIZE_MAX), expected = BUF_INIT(SIZE_MAX);

		n.plain = true;
		buf_addf(&expected, "%s<x@c.test>:\n%s\n--- Below", GREETING, texts[i][1]);
		head(&n, &b);
		has(&b, buf_cstr(&expected));
		buf_free(&expected);
		buf_free(&b);
	}
}

static void mime_form(void **state)
{
	const struct notice_recipient r = { .address = STR("x@c.test"),
					    .orcpt = STR("rfc822;o+2Bx@d.test"),
					    .report = STR("Sorry. (#5.1.1)\n") };
	struct notice n = example(&r);
	struct buf b = BUF_INIT(SIZE_MAX);

	(void)state;
	n.envid = STR("id+20one");
	assert_string_equal(
	    head(&n, &b),
	    "Message-ID: <19700101000000.42.qmail@a.test>\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\n\tboundary=\"=_0123abcd\"\n" FIELDS GREETING
	    "<x@c.test>:\nSorry. (#5.1.1)\n\n"
	    "--=_0123abcd\nContent-Type: text/plain; charset=us-ascii\n\n" GREETING "<x@c.test>:\nSorry. (#5.1.1)\n\n"
	    "--- Below this line is a copy of the message.\n\n"
	    "--=_0123abcd\nContent-Type: message/delivery-status\n\n"
	    "Reporting-MTA: dns; a.test\nOriginal-Envelope-Id: id one\nArrival-Date: 1 Jan 1970 00:00:00 -0000\n\n"
	    "Original-Recipient: rfc822;o+x@d.test\nFinal-Recipient: rfc822;x@c.test\nAction: failed\nStatus: 5.1.1\n"
	    "Diagnostic-Code: x-qmail; Sorry. (#5.1.1)\n\n"
	    "--=_0123abcd\nContent-Type: message/rfc822\n\nReturn-Path: <joe@b.test>\n");
	buf_clear(&b);
	notice_tail(&b, &n);
	assert_string_equal(buf_cstr(&b), "\n--=_0123abcd--\n");
	n.header_only = n.eight_bit = true;
	head(&n, &b);
	has(&b, "--=_0123abcd\nContent-Type: text/rfc822-headers\nContent-Transfer-Encoding: 8bit\n\nReturn-Path");
	has(&b, "\n--- Below this line is a copy of the mail header.\n\n--=_");
	buf_free(&b);
}

/* What comes from outside makes no fields, parts or paragraphs of its own. */
static void hostile_reports(void **state)
{
	const struct notice_recipient r = { .address = STR("x\nAction: delivered@c.test"),
					    .orcpt = STR("rfc822;x\nAction: delivered"),
					    .report =
						STR("192.0.2.1 does not like recipient.\n"
						    "Remote host said: 550 a\t\rb\n550 \xff\n\nAction: relayed\n") };
	struct notice n = example(&r);
	struct buf b = BUF_INIT(SIZE_MAX);

	(void)state;
	head(&n, &b);
	lacks(&b, "\nAction: delivered");
	has(&b, "\n/Action: relayed\n");
	has(&b, "\nDiagnostic-Code: smtp; 550 a b 550 ?\n");
	has(&b, "\nRemote-MTA: dns; [192.0.2.1]\n");
	has(&b, "text/plain; charset=unknown-8bit\nContent-Transfer-Encoding: 8bit\n");
	buf_free(&b);
}

static void long_replies_are_folded(void **state)
{
	struct buf report = BUF_INIT(SIZE_MAX), b = BUF_INIT(SIZE_MAX);
	struct notice_recipient r = { .address = STR("x@c.test") };
	struct notice n = example(&r);

	(void)state;
	buf_addz(&report, "192.0.2.1 failed after I sent the message.\nRemote host said: 554");
	for (int i = 0; i < 50; i++)
		buf_addz(&report, " words and words");
	r.report = buf_str(&report);
	head(&n, &b);
	has(&b, "Diagnostic-Code: smtp; 554 words and words");
	has(&b, "words\n ");
	buf_free(&report);
	buf_free(&b);
}

static void internationalised(void **state)
{
	const struct notice_recipient r = { .address = STR("j\xc3\xb6@c.test"),
					    .orcpt = STR("utf-8;j\\x{F6}@c.test"),
					    .report = STR("") };
	struct notice n = example(&r);
	struct buf b = BUF_INIT(SIZE_MAX);

	(void)state;
	assert_true(notice_needs_utf8(&n));
	head(&n, &b);
	has(&b, "message/global-delivery-status\nContent-Transfer-Encoding: 8bit\n");
	has(&b, "\nOriginal-Recipient: utf-8;j\xc3\xb6@c.test\n");
	has(&b, "\nFinal-Recipient: utf-8;\"j\xc3\xb6\"@c.test\n");
	has(&b, "charset=utf-8");
	n.utf8 = true;
	head(&n, &b);
	has(&b, "Content-Type: message/global\n");
	buf_free(&b);
}

static void delay_and_success(void **state)
{
	struct notice_recipient r = { .address = STR("x@c.test"),
				      .report = STR("192.0.2.1 failed on DATA command.\nRemote host said: 452 full\n"),
				      .action = NOTICE_DELAYED };
	struct notice n = example(&r);
	struct buf b = BUF_INIT(SIZE_MAX);

	(void)state;
	n.kind = NOTICE_DELAY;
	n.header_only = true;
	head(&n, &b);
	lacks(&b, "Hi. This is the");
	has(&b, "\nSubject: deferral notice\n\n--=_");
	has(&b, "\nAction: delayed\nStatus: 4.0.0\nRemote-MTA: dns; [192.0.2.1]\nDiagnostic-Code: smtp; 452 full\n"
		"Last-Attempt-Date: 1 Jan 1970 00:00:00 -0000\nWill-Retry-Until: 2 Jan 1970 00:00:00 -0000\n\n--=_");
	n.kind = NOTICE_SUCCESS;
	r.action = NOTICE_DELIVERED;
	r.report = STR("did 1+0+0\n");
	head(&n, &b);
	has(&b, "\nSubject: success notice\n\n--=_");
	has(&b, "\n<x@c.test>:\ndelivered\n\n");
	has(&b, "\nAction: delivered\nStatus: 2.0.0\n\n--=_");
	buf_free(&b);
}

static void header_of_a_message(void **state)
{
	(void)state;
	assert_int_equal(notice_header_length(STR("")), 0);
	assert_int_equal(notice_header_length(STR("\nbody")), 0);
	assert_int_equal(notice_header_length(STR("A: b\n\nbody\n\n")), 5);
	assert_int_equal(notice_header_length(STR("A: b\nC: d")), 9);
}

static void bulk(void **state)
{
	(void)state;
	assert_true(notice_is_bulk(STR("From: x\nPrecedence: bulk\n")));
	assert_true(notice_is_bulk(STR("precedence:\tLIST\n\nbody")));
	assert_true(notice_is_bulk(STR("Precedence: junk")));
	assert_true(notice_is_bulk(STR("List-Id: <x>\n")));
	assert_true(notice_is_bulk(STR("Mailing-List: x\n")));
	assert_true(notice_is_bulk(STR("Auto-Submitted: auto-replied (x)\n")));
	assert_true(notice_is_bulk(STR("Auto-Submitted: auto-generated; x=y\n")));
	assert_false(notice_is_bulk(STR("Auto-Submitted: no\nPrecedence: first-class\n")));
	assert_false(notice_is_bulk(STR("Subject: x\n\nPrecedence: bulk\n")));
	assert_false(notice_is_bulk(STR("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_form),
		cmocka_unit_test(paragraphs),
		cmocka_unit_test(mime_form),
		cmocka_unit_test(hostile_reports),
		cmocka_unit_test(long_replies_are_folded),
		cmocka_unit_test(internationalised),
		cmocka_unit_test(delay_and_success),
		cmocka_unit_test(header_of_a_message),
		cmocka_unit_test(bulk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
