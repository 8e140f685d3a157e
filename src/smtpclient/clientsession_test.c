#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mail/dsn.h"
#include "smtpclient/clientsession.h"

/* A script: '<' lines come from the server, '>' lines are what the session must have written by then. */
struct play {
	struct session s;
	struct transaction t, next;
	struct buf seen;
};

static const struct str to[] = { { "a@h.test", 8 }, { "b@h.test", 8 }, { "c@h.test", 8 } };

static void start(struct play *p, size_t recipients)
{
	session_init(&p->s, "127.0.0.1", STR("me.test"));
	transaction_init(&p->t, STR("s@a.test"), to, recipients);
	transaction_init(&p->next, STR("n@a.test"), to + 1, 1);
	p->seen = BUF_INIT(100000);
	session_begin(&p->s, &p->t);
}

static void stop(struct play *p)
{
	session_free(&p->s);
	transaction_free(&p->t);
	transaction_free(&p->next);
	buf_free(&p->seen);
}

static void write_all(struct play *p)
{
	buf_add(&p->seen, buf_str(&p->s.out));
	session_wrote(&p->s, p->s.out.n);
}

static void server(struct play *p, const char *bytes)
{
	session_input(&p->s, str_of(bytes));
	while (session_wants_content(&p->s)) {
		session_content(&p->s, STR("hello\n"));
		session_content_end(&p->s);
	}
	write_all(p);
}

static void expect_written(struct play *p, const char *bytes)
{
	assert_string_equal(buf_cstr(&p->seen), bytes);
	buf_clear(&p->seen);
}

static void expect_report(struct transaction *t, const char *want)
{
	struct buf got = BUF_INIT(100000);

	assert_int_equal(t->stage, TRANSACTION_DONE);
	for (size_t i = 0; i < t->nrecipients && t->rcpt[i].letter; i++) {
		buf_addc(&got, t->rcpt[i].letter);
		buf_add(&got, buf_str(&t->rcpt[i].text));
		buf_addc(&got, '|');
	}
	buf_addc(&got, t->message.letter);
	buf_add(&got, buf_str(&t->message.text));
	assert_string_equal(buf_cstr(&got), want);
	buf_free(&got);
}

static void expect_result(struct transaction *t, size_t i, char letter, const char *text)
{
	struct buf got = BUF_INIT(100000);

	assert_int_equal(transaction_result(t, i, &got), letter);
	assert_string_equal(buf_cstr(&got), text);
	buf_free(&got);
}

#define PIPELINING "250-x\r\n250 PIPELINING\r\n"
#define ACCEPTED "127.0.0.1 accepted message.\nRemote host said: 250 done\n"

static void test_wishes_for_notifications(void **state)
{
	const uint8_t notify[] = { 0, DSN_SUCCESS | DSN_DELAY };
	const struct str orcpts[] = { STR(""), STR("rfc822;o+2Bx@b.test") };
	const uint32_t turned[] = { 1, 0 };
	struct transaction_wishes w = { DSN_RET_HDRS, STR("id+20"), notify, orcpts, turned };
	struct play p;

	(void)state;
	start(&p, 2);
	p.t.wishes = &w;
	server(&p, "220 hi\r\n");
	buf_clear(&p.seen);
	server(&p, "250-x\r\n250-PIPELINING\r\n250 DSN\r\n");
	expect_written(&p, "MAIL FROM:<s@a.test> RET=HDRS ENVID=id+20\r\n"
			   "RCPT TO:<a@h.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;o+2Bx@b.test\r\n"
			   "RCPT TO:<b@h.test>\r\nDATA\r\n");
	assert_true(p.t.wishes_told);
	stop(&p);
	/* A server that does not know of them is not told, and nobody is to rely on it. */
	start(&p, 2);
	p.t.wishes = &w;
	server(&p, "220 hi\r\n");
	buf_clear(&p.seen);
	server(&p, PIPELINING);
	expect_written(&p, "MAIL FROM:<s@a.test>\r\nRCPT TO:<a@h.test>\r\nRCPT TO:<b@h.test>\r\nDATA\r\n");
	assert_false(p.t.wishes_told);
	stop(&p);
}

static void test_lockstep(void **state)
{
	struct play p;

	(void)state;
	start(&p, 1);
	server(&p, "220 hi\r\n");
	expect_written(&p, "EHLO me.test\r\n");
	server(&p, "502 what\r\n");
	expect_written(&p, "HELO me.test\r\n");
	server(&p, "250 ok\r\n");
	expect_written(&p, "MAIL FROM:<s@a.test>\r\n");
	server(&p, "250 ok\r\n");
	expect_written(&p, "RCPT TO:<a@h.test>\r\n");
	server(&p, "250 ok\r\n");
	expect_written(&p, "DATA\r\n");
	server(&p, "354 go\r\n");
	expect_written(&p, "hello\r\n.\r\n");
	server(&p, "250 done\r\n");
	expect_report(&p.t, "r|K" ACCEPTED);
	assert_true(session_takes(&p.s, false));
	session_begin(&p.s, &p.next);
	write_all(&p);
	expect_written(&p, "MAIL FROM:<n@a.test>\r\n");
	session_lost(&p.s);
	expect_report(&p.next, "ZConnected to 127.0.0.1 but connection died. (#4.4.2)\n");
	assert_true(p.next.try_another && p.next.replies == 0);
	stop(&p);
}

static void test_next_envelope_goes_behind_the_dot(void **state)
{
	struct play p;

	(void)state;
	start(&p, 2);
	server(&p, "220 hi\r\n");
	server(&p, PIPELINING);
	buf_clear(&p.seen);
	assert_false(session_takes(&p.s, true));
	session_input(&p.s, STR("250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n"));
	assert_true(session_takes(&p.s, true) && !session_takes(&p.s, false));
	session_begin(&p.s, &p.next);
	assert_false(session_takes(&p.s, true));
	session_content(&p.s, STR(".x\n"));
	session_content_end(&p.s);
	write_all(&p);
	expect_written(&p, "..x\r\n.\r\nMAIL FROM:<n@a.test>\r\nRCPT TO:<b@h.test>\r\nDATA\r\n");
	server(&p, "250 done\r\n250 ok\r\n250 ok\r\n354 go\r\n");
	expect_report(&p.t, "r|h127.0.0.1 does not like recipient.\nRemote host said: 550 no\n|K" ACCEPTED);
	expect_written(&p, "hello\r\n.\r\n");
	server(&p, "250 done\r\n");
	expect_report(&p.next, "r|K" ACCEPTED);
	stop(&p);
}

/* Each reply sequence after a pipelined envelope for three recipients, and the whole report. */
static const struct {
	const char *replies, *report;
	bool another, broken;
} verdicts[] = {
	{ "250 1\r\n250 2\r\n250 2\r\n250 2\r\n354 3\r\n250 done\r\n", "r|r|r|K" ACCEPTED, false, false },
	{ "450 a\r\n503 b\r\n503 b\r\n503 b\r\n503 c\r\n",
	  "ZConnected to 127.0.0.1 but sender was rejected.\nRemote host said: 450 a\n", false, false },
	{ "250 1\r\n550 a\r\n450 b\r\n550 c\r\n554 d\r\n",
	  "h127.0.0.1 does not like recipient.\nRemote host said: 550 a\n|"
	  "s127.0.0.1 does not like recipient.\nRemote host said: 450 b\n|"
	  "h127.0.0.1 does not like recipient.\nRemote host said: 550 c\n|DGiving up on 127.0.0.1.\n",
	  false, false },
	{ "250 1\r\n550 a\r\n550 a\r\n550 a\r\n354 go\r\n250 done\r\n",
	  "h127.0.0.1 does not like recipient.\nRemote host said: 550 a\n|"
	  "h127.0.0.1 does not like recipient.\nRemote host said: 550 a\n|"
	  "h127.0.0.1 does not like recipient.\nRemote host said: 550 a\n|DGiving up on 127.0.0.1.\n",
	  false, false },
	{ "250 1\r\n250 2\r\n250 2\r\n250 2\r\n452 c\r\n",
	  "r|r|r|Z127.0.0.1 failed on DATA command.\nRemote host said: 452 c\n", false, false },
	{ "250 1\r\n250 2\r\n250 2\r\n250 2\r\n354 3\r\n554 c\r\n",
	  "r|r|r|D127.0.0.1 failed after I sent the message.\nRemote host said: 554 c\n", false, false },
	{ "250 1\r\n421 bye\r\n",
	  "s127.0.0.1 does not like recipient.\nRemote host said: 421 bye\n|"
	  "ZConnected to 127.0.0.1 but connection died. (#4.4.2)\n",
	  true, true },
	{ "250 1\r\n250 2\r\n250 2\r\n250 2\r\n354 3\r\n421 bye\r\n",
	  "r|r|r|Z127.0.0.1 failed after I sent the message.\nRemote host said: 421 bye\n", false, true },
	{ "250 1\r\n354 2\r\n",
	  "ZConnected to 127.0.0.1 but its replies make no sense. (#4.5.0)\nRemote host said: 354 2\n", true, true },
	{ "250 1\r\n250 2\r\n250 2\r\n250 2\r\n250 3\r\n",
	  "r|r|r|ZConnected to 127.0.0.1 but its replies make no sense. (#4.5.0)\nRemote host said: 250 3\n", true,
	  true },
	{ "450 1\r\n250 2\r\n250 2\r\n250 2\r\n354 3\r\n",
	  "ZConnected to 127.0.0.1 but sender was rejected.\nRemote host said: 450 1\n", true, true },
	{ "250 1\r\n250 2\r\n250 2\r\n250 2\r\n354 3\r\n354 4\r\n",
	  "r|r|r|ZConnected to 127.0.0.1 but its replies make no sense. (#4.5.0)\nRemote host said: 354 4\n", false,
	  true },
	{ "250 1\r\nHello\r\n",
	  "ZConnected to 127.0.0.1 but its replies make no sense. (#4.5.0)\nRemote host said: H\n", true, true },
};

static void check_verdict(size_t i)
{
	struct play p;
	struct str rest = str_of(verdicts[i].replies);

	start(&p, 3);
	server(&p, "220 hi\r\n");
	server(&p, PIPELINING);
	while (rest.n) {
		session_input(&p.s, str_head(rest, 1));
		if (session_wants_content(&p.s)) {
			session_content(&p.s, STR("x\n"));
			session_content_end(&p.s);
		}
		write_all(&p);
		rest = str_from(rest, 1);
	}
	expect_report(&p.t, verdicts[i].report);
	assert_int_equal(p.t.try_another, verdicts[i].another);
	assert_int_equal(p.s.stage == SESSION_BROKEN, verdicts[i].broken);
	stop(&p);
}

static void test_verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++)
		check_verdict(i);
}

static void test_an_envelope_that_was_given_up_is_reset(void **state)
{
	struct play p;

	(void)state;
	start(&p, 1);
	server(&p, "220 hi\r\n");
	server(&p, PIPELINING);
	server(&p, "250 1\r\n550 no\r\n554 none\r\n");
	buf_clear(&p.seen);
	session_begin(&p.s, &p.next);
	write_all(&p);
	expect_written(&p, "RSET\r\nMAIL FROM:<n@a.test>\r\nRCPT TO:<b@h.test>\r\nDATA\r\n");
	server(&p, "250 reset\r\n250 1\r\n250 2\r\n354 3\r\n");
	server(&p, "250 done\r\n");
	expect_report(&p.next, "r|K" ACCEPTED);
	stop(&p);
}

static void test_possible_duplicate_only_after_the_dot_was_written(void **state)
{
	struct play p;

	(void)state;
	for (size_t kept = 0; kept < 2; kept++) {
		start(&p, 1);
		server(&p, "220 hi\r\n");
		server(&p, PIPELINING);
		session_input(&p.s, STR("250 1\r\n250 2\r\n354 3\r\n"));
		session_content(&p.s, STR("hello\n"));
		session_content_end(&p.s);
		session_wrote(&p.s, p.s.out.n - kept);
		session_lost(&p.s);
		assert_int_equal(p.t.try_another, kept);
		expect_report(&p.t,
			      kept ? "r|ZConnected to 127.0.0.1 but connection died. (#4.4.2)\n"
				   : "r|ZConnected to 127.0.0.1 but connection died. Possible duplicate! (#4.4.2)\n");
		stop(&p);
	}
}

static void test_parameters(void **state)
{
	struct play p;

	(void)state;
	start(&p, 1);
	p.t.wire_size = 77;
	p.t.eightbit = true;
	server(&p, "220 hi\r\n");
	buf_clear(&p.seen);
	server(&p, "250-x\r\n250-SIZE 10\r\n250 8BITMIME\r\n");
	expect_written(&p, "MAIL FROM:<s@a.test> SIZE=77 BODY=8BITMIME\r\n");
	stop(&p);
}

static void test_failed_greetings_lead_on(void **state)
{
	static const char *const inputs[] = { "554 no\r\n", "421 no\r\n", "220 hi\r\n250 early\r\n", "garbage\r\n" };
	struct play p;

	(void)state;
	for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
		start(&p, 1);
		session_input(&p.s, str_of(inputs[i]));
		assert_int_equal(p.s.stage, SESSION_BROKEN);
		assert_true(p.t.stage == TRANSACTION_DONE && p.t.try_another && p.t.message.letter == 'Z');
		assert_int_equal(p.s.out.n, 0);
		stop(&p);
	}
}

static void test_bad_addresses(void **state)
{
	static const struct str bad[] = {
		STR("a\n@h"), STR("a@h\r\nDATA"), STR("a@h> X"), STR("a\0@h"), STR("\177@h"), STR("a@h x"),
	};
	struct session s;
	struct transaction t;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_false(transaction_address_valid(bad[i]));
		session_init(&s, "x", STR("me"));
		transaction_init(&t, STR("s@h"), &bad[i], 1);
		session_begin(&s, &t);
		expect_report(&t, "hThis address cannot be sent by SMTP. (#5.1.3)\n|D");
		expect_result(&t, 0, 'D', "This address cannot be sent by SMTP. (#5.1.3)\n");
		transaction_free(&t);
		transaction_init(&t, bad[i], to, 1);
		session_begin(&s, &t);
		expect_report(&t, "DThe sender's address cannot be sent by SMTP. (#5.1.7)\n");
		transaction_free(&t);
		session_free(&s);
	}
	assert_true(transaction_address_valid(STR("")) && transaction_address_valid(STR("a b@h.test")));
}

/* What qmail-rspawn makes of the records (contract §9.3, D.9). */
#define CHUNKING "250-x\r\n250-PIPELINING\r\n250-SIZE\r\n250 CHUNKING\r\n"
#define LOST "ZConnected to 127.0.0.1 but connection died. (#4.4.2)\n"
#define DUPLICATE "ZConnected to 127.0.0.1 but connection died. Possible duplicate! (#4.4.2)\n"

/* The size of what server() sends. */
static void start_exact(struct play *p, size_t recipients)
{
	start(p, recipients);
	p->t.wire_size = p->next.wire_size = 7;
	p->t.exact = p->next.exact = true;
}

static void test_chunks_need_not_wait(void **state)
{
	struct play p;

	(void)state;
	start_exact(&p, 2);
	server(&p, "220 hi\r\n");
	buf_clear(&p.seen);
	server(&p, CHUNKING);
	expect_written(&p, "MAIL FROM:<s@a.test> SIZE=7\r\nRCPT TO:<a@h.test>\r\nRCPT TO:<b@h.test>\r\n"
			   "BDAT 7 LAST\r\nhello\r\n");
	assert_true(session_takes(&p.s, true) && !session_takes(&p.s, false));
	session_begin(&p.s, &p.next);
	server(&p, "");
	expect_written(&p, "RSET\r\nMAIL FROM:<n@a.test> SIZE=7\r\nRCPT TO:<b@h.test>\r\nBDAT 7 LAST\r\nhello\r\n");
	assert_false(session_takes(&p.s, true));
	server(&p, "250 ok\r\n250 ok\r\n550 no\r\n250 done\r\n250 ok\r\n250 ok\r\n250 ok\r\n250 done\r\n");
	expect_written(&p, "");
	expect_report(&p.t, "r|h127.0.0.1 does not like recipient.\nRemote host said: 550 no\n|K" ACCEPTED);
	expect_report(&p.next, "r|K" ACCEPTED);
	assert_true(session_takes(&p.s, false) && !p.s.must_reset && !p.s.chunking_failed);
	stop(&p);
}

/* Without PIPELINING, or with much to send, the chunk waits until somebody may have it. */
static void test_chunks_that_wait(void **state)
{
	struct play p;

	(void)state;
	start_exact(&p, 1);
	server(&p, "220 hi\r\n");
	server(&p, "250-x\r\n250 CHUNKING\r\n");
	server(&p, "250 ok\r\n");
	buf_clear(&p.seen);
	server(&p, "250 ok\r\n");
	expect_written(&p, "BDAT 7 LAST\r\nhello\r\n");
	server(&p, "250 done\r\n");
	expect_report(&p.t, "r|K" ACCEPTED);
	p.next.wire_size = 70000;
	session_begin(&p.s, &p.next);
	p.s.ehlo.pipelining = true;
	write_all(&p);
	expect_written(&p, "MAIL FROM:<n@a.test>\r\n");
	session_free(&p.s);
	stop(&p);

	start_exact(&p, 1);
	p.t.wire_size = 70000;
	server(&p, "220 hi\r\n");
	buf_clear(&p.seen);
	server(&p, CHUNKING);
	expect_written(&p, "MAIL FROM:<s@a.test> SIZE=70000\r\nRCPT TO:<a@h.test>\r\n");
	server(&p, "250 ok\r\n550 no\r\n");
	expect_report(&p.t,
		      "h127.0.0.1 does not like recipient.\nRemote host said: 550 no\n|DGiving up on 127.0.0.1.\n");
	session_begin(&p.s, &p.next);
	server(&p, "");
	expect_written(&p, "RSET\r\nMAIL FROM:<n@a.test> SIZE=7\r\nRCPT TO:<b@h.test>\r\nBDAT 7 LAST\r\nhello\r\n");
	stop(&p);
}

static void test_chunks_that_nobody_may_have(void **state)
{
	static const struct {
		const char *replies, *report;
	} rows[] = {
		{ "550 no\r\n503 no\r\n503 no\r\n",
		  "DConnected to 127.0.0.1 but sender was rejected.\nRemote host said: 550 no\n" },
		{ "250 ok\r\n450 no\r\n503 no\r\n",
		  "s127.0.0.1 does not like recipient.\nRemote host said: 450 no\n|DGiving up on 127.0.0.1.\n" },
		{ "250 ok\r\n250 no\r\n552 no\r\n",
		  "r|D127.0.0.1 failed after I sent the message.\nRemote host said: 552 no\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct play p;

		start_exact(&p, 1);
		server(&p, "220 hi\r\n");
		server(&p, CHUNKING);
		server(&p, rows[i].replies);
		expect_report(&p.t, rows[i].report);
		assert_true(session_takes(&p.s, false) && p.s.must_reset && !p.t.try_another);
		stop(&p);
	}
}

/* What ends a session with a chunk under way; `left`: bytes that were not handed to the system. */
static void test_chunks_that_go_wrong(void **state)
{
	static const struct {
		const char *replies;
		size_t left;
		const char *message;
		bool try_another, late;
	} rows[] = {
		{ "", 0, LOST, true, false },
		{ "250 ok\r\n", 0, LOST, true, false },
		{ "250 ok\r\n", 0, DUPLICATE, false, true },
		{ "250 ok\r\n", 1, LOST, true, true },
		{ "550 no\r\n", 0, "DConnected to 127.0.0.1 but sender was rejected.\nRemote host said: 550 no\n", true,
		  true },
		{ "250 ok\r\n250 ok\r\n", 0, DUPLICATE, false, false },
		{ "250 ok\r\n250 ok\r\n", 1, LOST, true, false },
		{ "250 ok\r\n250 ok\r\n502 what\r\n", 0,
		  "ZConnected to 127.0.0.1 but it refused BDAT, which it offers.\nRemote host said: 502 what\n", true,
		  false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct play p;

		start_exact(&p, 1);
		server(&p, "220 hi\r\n");
		server(&p, CHUNKING);
		p.s.written -= rows[i].left;
		server(&p, rows[i].replies);
		(rows[i].late ? session_late : session_lost)(&p.s);
		assert_string_equal(buf_cstr(&p.t.message.text), rows[i].message + 1);
		assert_int_equal(p.t.message.letter, *rows[i].message);
		assert_int_equal(p.t.try_another, rows[i].try_another);
		assert_true(p.s.chunking_failed);
		stop(&p);
	}
}

/* Content that is not what was measured never becomes a message, and the one before it gets its reply. */
static void test_chunks_of_the_wrong_size(void **state)
{
	for (size_t size = 6; size <= 8; size += 2) {
		struct play p;

		(void)state;
		start_exact(&p, 1);
		server(&p, "220 hi\r\n");
		server(&p, CHUNKING);
		p.next.wire_size = size;
		session_begin(&p.s, &p.next);
		session_content(&p.s, STR("hello\n"));
		if (session_wants_content(&p.s))
			session_content_end(&p.s);
		assert_false(session_takes(&p.s, true));
		expect_report(&p.next, "ZUnable to read message. (#4.3.0)\n");
		server(&p, "250 ok\r\n250 ok\r\n250 done\r\n");
		expect_report(&p.t, "r|K" ACCEPTED);
		assert_int_equal(p.s.stage, SESSION_BROKEN);
		stop(&p);
	}
}

static void test_no_chunks_where_they_may_not_be(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct play p;

		(void)state;
		start_exact(&p, 1);
		p.s.policy.no_chunking = i == 0;
		p.t.exact = i == 0;
		server(&p, "220 hi\r\n");
		buf_clear(&p.seen);
		server(&p, CHUNKING);
		expect_written(&p, "MAIL FROM:<s@a.test> SIZE=7\r\nRCPT TO:<a@h.test>\r\nDATA\r\n");
		stop(&p);
	}
}

static void test_one_that_goes_ahead_and_needs_utf8(void **state)
{
	struct play p;

	(void)state;
	start(&p, 1);
	p.next.smtputf8 = true;
	p.next.sender = STR("j\xc3\xb6rg@a.test");
	server(&p, "220 hi\r\n");
	server(&p, PIPELINING);
	server(&p, "250 ok\r\n250 ok\r\n354 go\r\n");
	session_begin(&p.s, &p.next);
	expect_report(&p.next, "DConnected to 127.0.0.1 but it takes no internationalized addresses. (#5.6.7)\n");
	server(&p, "250 done\r\n");
	expect_report(&p.t, "r|K" ACCEPTED);
	stop(&p);
}

/* What a server says up to its end: is it to be tried without what it offers, and what was waited for? */
static void test_offers_that_are_not_kept(void **state)
{
	static const struct {
		const char *offers, *replies;
		bool pipelining, parameters;
		const char *before;
	} rows[] = {
		{ PIPELINING, "", false, false, "its answer to MAIL" },
		{ PIPELINING, "250 s\r\n", true, false, "its answer to RCPT" },
		{ PIPELINING, "250 s\r\n250 a\r\n", true, false, "its answer to DATA" },
		{ PIPELINING, "250 s\r\n250 a\r\n354 go\r\n", false, false, "its answer to the message" },
		{ PIPELINING, "250 s\r\n421 bye\r\n", false, false, NULL },
		{ "250 x\r\n", "250 s\r\n", false, false, "its answer to RCPT" },
		{ "250-x\r\n250 SIZE\r\n", "555 what\r\n", false, true, NULL },
		{ "250-x\r\n250-PIPELINING\r\n250 SIZE\r\n", "555 what\r\n", false, true, NULL },
		{ "250 x\r\n", "555 what\r\n", false, false, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct play p;

		start(&p, 1);
		p.t.wire_size = 77;
		server(&p, "220 hi\r\n");
		server(&p, rows[i].offers);
		server(&p, rows[i].replies);
		session_lost(&p.s);
		assert_int_equal(p.s.pipelining_failed, rows[i].pipelining);
		assert_int_equal(p.s.parameters_failed, rows[i].parameters);
		assert_true(p.t.try_another || !(rows[i].pipelining || rows[i].parameters));
		assert_int_equal(p.t.lost_before != NULL, rows[i].before != NULL);
		if (rows[i].before)
			assert_string_equal(p.t.lost_before, rows[i].before);
		stop(&p);
	}
}

static void test_offers_that_are_not_used(void **state)
{
	const struct session_policy policy = { .no_pipelining = true, .no_parameters = true, .no_chunking = true };
	struct play p;

	(void)state;
	start(&p, 2);
	session_free(&p.s);
	transaction_restart(&p.t);
	session_init_policy(&p.s, "127.0.0.1", STR("me.test"), &policy);
	p.t.wire_size = 77;
	p.t.exact = p.t.eightbit = true;
	session_begin(&p.s, &p.t);
	server(&p, "220 hi\r\n");
	buf_clear(&p.seen);
	server(&p, "250-x\r\n250-PIPELINING\r\n250-SIZE\r\n250-8BITMIME\r\n250-CHUNKING\r\n250 DSN\r\n");
	expect_written(&p, "MAIL FROM:<s@a.test>\r\n");
	server(&p, "250 s\r\n");
	expect_written(&p, "RCPT TO:<a@h.test>\r\n");
	server(&p, "250 a\r\n");
	expect_written(&p, "RCPT TO:<b@h.test>\r\n");
	server(&p, "250 b\r\n");
	expect_written(&p, "DATA\r\n");
	stop(&p);
}

static void test_results(void **state)
{
	static const struct {
		char rcpt, message, result;
		const char *text;
	} rows[] = {
		{ 'r', 'K', 'K', "m\n" },    { 's', 'D', 'Z', "r\nm\n" }, { 'h', 'D', 'D', "r\nm\n" },
		{ 's', 'K', 'Z', "r\n" },    { 'h', 'K', 'D', "r\n" },    { 'h', 'Z', 'D', "r\n" },
		{ 's', 'Z', 'Z', "r\nm\n" }, { 0, 'Z', 'Z', "m\n" },
	};
	struct transaction t;

	(void)state;
	transaction_init(&t, STR(""), to, 1);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		transaction_restart(&t);
		if (rows[i].rcpt)
			transaction_record_set(&t.rcpt[0], rows[i].rcpt, rows[i].rcpt == 'r' ? STR("") : STR("r\n"));
		transaction_record_set(&t.message, rows[i].message, STR("m\n"));
		expect_result(&t, 0, rows[i].result, rows[i].text);
	}
	transaction_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lockstep),
		cmocka_unit_test(test_wishes_for_notifications),
		cmocka_unit_test(test_next_envelope_goes_behind_the_dot),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_an_envelope_that_was_given_up_is_reset),
		cmocka_unit_test(test_possible_duplicate_only_after_the_dot_was_written),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_failed_greetings_lead_on),
		cmocka_unit_test(test_bad_addresses),
		cmocka_unit_test(test_chunks_need_not_wait),
		cmocka_unit_test(test_chunks_that_wait),
		cmocka_unit_test(test_chunks_that_nobody_may_have),
		cmocka_unit_test(test_chunks_that_go_wrong),
		cmocka_unit_test(test_chunks_of_the_wrong_size),
		cmocka_unit_test(test_no_chunks_where_they_may_not_be),
		cmocka_unit_test(test_one_that_goes_ahead_and_needs_utf8),
		cmocka_unit_test(test_offers_that_are_not_kept),
		cmocka_unit_test(test_offers_that_are_not_used),
		cmocka_unit_test(test_results),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
