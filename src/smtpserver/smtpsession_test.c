#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "smtpserver/smtpsession.h"

/* A queue, a clock and a policy that are this test. */
struct world {
	struct buf queue;   /* what was accepted: "<sender>(rcpt rcpt)content;" */
	struct buf message; /* the content of the one under way */
	struct buf refused; /* recipients, each with a space */
	bool open;
	bool queue_down, queue_refuses;
	unsigned begun, cancelled, committed;
};

static int64_t at_noon(void *ctx)
{
	(void)ctx;
	return 43200;
}

static bool bad_sender(void *ctx, struct str sender, size_t at)
{
	(void)ctx;
	return str_eq(str_from(sender, at), STR("@bad.test"));
}

static enum smtp_permission ours(void *ctx, struct str recipient, size_t at)
{
	(void)ctx;
	if (str_eq(str_from(recipient, at), STR("@damaged.test")))
		return SMTP_UNDECIDED;
	return at == recipient.n || str_iends(recipient, STR("@ok.test")) ? SMTP_ALLOWED : SMTP_REFUSED;
}

static bool own(void *ctx, struct str literal)
{
	(void)ctx;
	return str_eq(literal, STR("10.0.0.1"));
}

static bool queue_begin(void *ctx, const struct smtp_session *s)
{
	struct world *w = ctx;

	(void)s;
	assert_false(w->open);
	w->open = !w->queue_down;
	w->begun += w->open;
	buf_clear(&w->message);
	return w->open;
}

static void queue_content(void *ctx, struct str data)
{
	struct world *w = ctx;

	assert_true(w->open);
	buf_add(&w->message, data);
}

static bool queue_commit(void *ctx, const struct smtp_session *s, struct submit_result *r)
{
	struct world *w = ctx;
	struct str rest = buf_str(&s->t.recipients), one;

	assert_true(w->open);
	w->open = false;
	w->committed++;
	*r = (struct submit_result){ .qp = 7, .letter = 'D', .text = "no\nthanks" };
	if (w->queue_refuses)
		return false;
	buf_addf(&w->queue, "<%.*s>(", STR_ARG(buf_str(&s->t.sender)));
	while (str_cut(rest, 0, &one, &rest))
		buf_addf(&w->queue, "%.*s ", STR_ARG(one));
	buf_addc(&w->queue, ')');
	/* Without the Received line. */
	buf_add(&w->queue, str_from(buf_str(&w->message), str_find(buf_str(&w->message), STR("-0000\n")) + 6));
	buf_addc(&w->queue, ';');
	return true;
}

static void queue_cancel(void *ctx)
{
	struct world *w = ctx;

	assert_true(w->open);
	w->open = false;
	w->cancelled++;
}

static void note(void *ctx, const struct smtp_session *s, enum smtp_note what, struct str text)
{
	struct world *w = ctx;

	(void)s;
	if (what == SMTP_NOTE_RECIPIENT) {
		buf_add(&w->refused, text);
		buf_addc(&w->refused, ' ');
	}
}

static enum smtp_mailbox mailbox(void *ctx, struct str recipient, uint64_t bytes)
{
	(void)ctx;
	if (str_eq(recipient, STR("full@ok.test")) && bytes > 100)
		return SMTP_MAILBOX_FULL;
	return str_eq(recipient, STR("nobody@ok.test")) ? SMTP_MAILBOX_ABSENT : SMTP_MAILBOX_TAKES;
}

static const struct smtp_ops ops = { at_noon,       bad_sender,   ours,         own,  queue_begin,
				     queue_content, queue_commit, queue_cancel, note, mailbox };

static struct smtp_settings settings;
static struct smtp_client client;

static int defaults(void **state)
{
	(void)state;
	settings = (struct smtp_settings){ .greeting = STR("mx.test"),
					   .localiphost = STR("ok.test"),
					   .has_localiphost = true,
					   .max_recipients = 1000,
					   .max_errors = 20,
					   .max_idle = 50 };
	client = (struct smtp_client){ .ip = STR("192.0.2.1"), .host = STR("client.test"), .local = STR("mx.test") };
	return 0;
}

struct run {
	struct world world;
	struct smtp_session session;
	struct buf out;
};

static void begin(struct run *r)
{
	*r = (struct run){ 0 };
	r->world.queue = r->world.message = r->world.refused = BUF_INIT(64 << 20);
	r->out = BUF_INIT(64 << 20);
	smtp_session_start(&r->session, &settings, &client, &ops, &r->world, &r->out);
	assert_string_equal(buf_cstr(&r->out), "220 mx.test ESMTP\r\n");
	buf_clear(&r->out);
}

static void feed(struct run *r, struct str input, size_t size)
{
	while (input.n && !r->session.ended) {
		/* An output buffer of its own, as if the old replies had been written. */
		struct buf out = BUF_INIT(1 << 20);
		size_t taken = smtp_session_feed(&r->session, str_head(input, size), &out);

		assert_true(buf_ok(&out));
		assert_true(taken || r->session.ended);
		input = str_from(input, taken);
		buf_add(&r->out, buf_str(&out));
		buf_free(&out);
	}
}

static void end(struct run *r)
{
	smtp_session_close(&r->session);
	assert_false(r->world.open);
	assert_int_equal(r->world.begun, r->world.cancelled + r->world.committed);
	buf_free(&r->world.queue);
	buf_free(&r->world.message);
	buf_free(&r->world.refused);
	buf_free(&r->out);
}

/* Sends input in pieces of several sizes; replies and queue must always be these. */
static void dialogue_of(struct str input, const char *replies, const char *queue)
{
	static const size_t sizes[] = { 1, 2, 3, 5, 7, 64, 1000, 100000 };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct run r;

		begin(&r);
		feed(&r, input, sizes[i]);
		assert_string_equal(buf_cstr(&r.out), replies);
		assert_string_equal(buf_cstr(&r.world.queue), queue);
		end(&r);
	}
}
#define dialogue(input, replies, queue) dialogue_of(STR(input), replies, queue)

#define OPEN "MAIL FROM:<s@c.test>\r\nRCPT TO:<r@ok.test>\r\n"
#define OPENED "250 ok\r\n250 ok\r\n"
#define GO OPEN "DATA\r\n"
#define GONE OPENED "354 go ahead\r\n"
#define OK "250 ok 43200 qp 7\r\n"

static void a_message_is_accepted(void **state)
{
	(void)state;
	dialogue("HELO c\r\n" GO "a\r\n..b\r\n.\r\nQUIT\r\n", "250 mx.test\r\n" GONE OK "221 mx.test\r\n",
		 "<s@c.test>(r@ok.test )a\n.b\n;");
	dialogue("ehlo c\r\n", "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 0\r\n250 8BITMIME\r\n", "");
	dialogue(GO "a\r\n.\r\n" GO "b\r\n.\r\n", GONE OK GONE OK,
		 "<s@c.test>(r@ok.test )a\n;<s@c.test>(r@ok.test )b\n;");
}

static void every_command_answers_as_qmail_does(void **state)
{
	(void)state;
	dialogue("RCPT TO:<a@ok.test>\r\nDATA\r\nMAIL FROM:<>\r\nDATA\r\n",
		 "503 MAIL first (#5.5.1)\r\n503 MAIL first (#5.5.1)\r\n250 ok\r\n503 RCPT first (#5.5.1)\r\n", "");
	dialogue("RSET\r\nnoop x\r\nVRFY a\r\nEXPN a\r\n\r\n",
		 "250 flushed\r\n250 ok\r\n252 send some mail, i'll try my best\r\n"
		 "502 unimplemented (#5.5.1)\r\n502 unimplemented (#5.5.1)\r\n",
		 "");
	dialogue("MAIL FROM:<s@bad.test>\r\nRCPT TO:<a@ok.test>\r\n",
		 "250 ok\r\n553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)\r\n", "");
	dialogue("MAIL FROM:<>\r\nRCPT TO:<a@far.test>\r\nRCPT TO:<a@b@ok.test>\r\nRCPT TO:<>\r\nRCPT TO:<noat>\r\n",
		 "250 ok\r\n553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)\r\n"
		 "555 syntax error (#5.5.4)\r\n555 syntax error (#5.5.4)\r\n250 ok\r\n",
		 "");
	dialogue("MAIL FROM:<>\r\nRCPT TO:<a@damaged.test>\r\nNOOP\r\n",
		 "250 ok\r\n421 unable to read controls (#4.3.0)\r\n", "");
	dialogue("MAIL FROM:<>\r\nRCPT TO:<a@[10.0.0.1]>\r\nDATA\r\n.\r\n", "250 ok\r\n250 ok\r\n354 go ahead\r\n" OK,
		 "<>(a@ok.test );");
	dialogue("MAIL FROM:<> SIZE=x\r\nMAIL FROM:<> X=y\r\n",
		 "501 syntax error in parameters (#5.5.4)\r\n555 syntax error (#5.5.4)\r\n", "");
}

static void received_lines_tell_the_client(void **state)
{
	struct run r;

	(void)state;
	begin(&r);
	feed(&r, STR("HELO a)(b\r\n" GO), 1000);
	assert_string_equal(buf_cstr(&r.world.message), "Received: from client.test (HELO a??b) (192.0.2.1)\n"
							"  by mx.test with SMTP; 1 Jan 1970 12:00:00 -0000\n");
	end(&r);
}

static void relay_clients_may_send_anywhere(void **state)
{
	(void)state;
	client.relay = true;
	dialogue("MAIL FROM:<>\r\nRCPT TO:<a@far.test>\r\nDATA\r\n.\r\n", "250 ok\r\n250 ok\r\n354 go ahead\r\n" OK,
		 "<>(a@far.test );");
	client.relay_suffix = STR("@fix");
	dialogue("MAIL FROM:<>\r\nRCPT TO:<a@far.test>\r\nDATA\r\n.\r\n", "250 ok\r\n250 ok\r\n354 go ahead\r\n" OK,
		 "<>(a@far.test@fix );");
	dialogue("MAIL FROM:<s@bad.test>\r\nRCPT TO:<a@far.test>\r\n",
		 "250 ok\r\n553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)\r\n", "");
}

static void absent_mailboxes_are_refused(void **state)
{
#define ABSENT "550 sorry, no mailbox here by that name. (#5.1.1)\r\n"
	(void)state;
	dialogue("MAIL FROM:<>\r\nRCPT TO:<a@ok.test>\r\nRCPT TO:<nobody@ok.test>\r\nRCPT TO:<b@ok.test>\r\n"
		 "DATA\r\n.\r\n",
		 "250 ok\r\n250 ok\r\n" ABSENT "250 ok\r\n354 go ahead\r\n" OK, "<>(a@ok.test b@ok.test );");
	dialogue("MAIL FROM:<>\r\nRCPT TO:<nobody@ok.test>\r\nDATA\r\n",
		 "250 ok\r\n" ABSENT "503 RCPT first (#5.5.1)\r\n", "");
	/* Other reasons come first: they tell nothing about who exists. */
	dialogue("MAIL FROM:<s@bad.test>\r\nRCPT TO:<nobody@ok.test>\r\n",
		 "250 ok\r\n553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)\r\n", "");
	/* As large as the client says. */
	dialogue(
	    "MAIL FROM:<> SIZE=101\r\nRCPT TO:<full@ok.test>\r\nMAIL FROM:<> SIZE=100\r\nRCPT TO:<full@ok.test>\r\n"
	    "MAIL FROM:<>\r\nRCPT TO:<full@ok.test>\r\n",
	    "250 ok\r\n550 sorry, the mailbox is full (#5.2.2)\r\n250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n", "");
	/* With the suffix it is this address. */
	client.relay = true;
	client.relay_suffix = STR(".test");
	dialogue("MAIL FROM:<>\r\nRCPT TO:<nobody@ok>\r\n", "250 ok\r\n" ABSENT, "");
}

static void a_bare_lf_ends_the_session(void **state)
{
#define LF "451 See http://pobox.com/~djb/docs/smtplf.html.\r\n"
	(void)state;
	dialogue(GO "a\nb\r\n.\r\nMAIL FROM:<x>\r\n", GONE LF, "");
	dialogue(GO "a\r\n.\nMAIL FROM:<x>\r\n", GONE LF, "");
	dialogue("NOOP\nQUIT\r\n", LF, "");
	dialogue("NOOP\r\n\nNOOP\r\n", "250 ok\r\n" LF, "");
}

/* PS-06 */
static void strange_lines_are_refused_once(void **state)
{
	(void)state;
	dialogue("NOOP\rQUIT\r\nNOOP\0x\r\nNOOP\r\n",
		 "500 syntax error (#5.5.2)\r\n500 syntax error (#5.5.2)\r\n250 ok\r\n", "");
	dialogue("POST / HTTP/1.1\r\nMAIL FROM:<>\r\n", "502 unimplemented (#5.5.1)\r\n", "");
	dialogue("BDAT 6\r\nNOOP\r\n", "502 unimplemented (#5.5.1)\r\n", "");
	for (size_t n = 500; n < 40000; n += n < 2100 ? 1 : 3000) {
		struct run r;
		struct buf line = BUF_INIT(100000);

		buf_addz(&line, "NOOP ");
		while (line.n < n)
			buf_addc(&line, 'x');
		buf_addz(&line, "\r\nRSET\r\n");
		begin(&r);
		feed(&r, buf_str(&line), 1500);
		assert_string_equal(buf_cstr(&r.out), n + 2 <= SMTPLINE_MAX
							  ? "250 ok\r\n250 flushed\r\n"
							  : "500 line too long (#5.5.2)\r\n250 flushed\r\n");
		end(&r);
		buf_free(&line);
	}
}

static void size_limits_hold(void **state)
{
#define TOO_BIG "552 sorry, that message size exceeds my databytes limit (#5.3.4)\r\n"
	(void)state;
	settings.databytes = 5;
	dialogue(GO "abcd\r\n.\r\n" GO "abcde\r\n.\r\n" GO "..bc\r\n.\r\n", GONE OK GONE TOO_BIG GONE OK,
		 "<s@c.test>(r@ok.test )abcd\n;<s@c.test>(r@ok.test ).bc\n;");
	/* A refused MAIL leaves no transaction behind (PS-01). */
	dialogue(OPEN "MAIL FROM:<> SIZE=6\r\nRCPT TO:<a@ok.test>\r\nDATA\r\nMAIL FROM:<> SIZE=5\r\n",
		 OPENED TOO_BIG "503 MAIL first (#5.5.1)\r\n503 MAIL first (#5.5.1)\r\n250 ok\r\n", "");
	/* Said less than it sent. */
	dialogue("MAIL FROM:<> SIZE=1\r\nRCPT TO:<a@ok.test>\r\nDATA\r\nabcdefgh\r\n.\r\nRCPT TO:<a@ok.test>\r\n",
		 "250 ok\r\n250 ok\r\n354 go ahead\r\n" TOO_BIG "503 MAIL first (#5.5.1)\r\n", "");
}

static void loops_are_broken(void **state)
{
	for (int hops = 98; hops < 102; hops++) {
		struct run r;
		struct buf input = BUF_INIT(1 << 20);

		(void)state;
		settings.databytes = 10; /* the loop is said first */
		buf_addz(&input, GO);
		for (int i = 0; i < hops; i++)
			buf_addz(&input, i % 2 ? "Received: x\r\n" : "DELIVERED-TO: y\r\n");
		buf_addz(&input, "\r\nReceived: in the body\r\n.\r\n");
		begin(&r);
		feed(&r, buf_str(&input), 10000);
		assert_string_equal(buf_cstr(&r.out), hops < 100 ? GONE TOO_BIG
								 : GONE
							  "554 too many hops, this message is looping (#5.4.6)\r\n");
		end(&r);
		buf_free(&input);
	}
}

static void queue_failures_are_passed_on(void **state)
{
	struct run r;

	(void)state;
	begin(&r);
	r.world.queue_down = true;
	feed(&r, STR(GO "DATA\r\n"), 1000);
	assert_string_equal(buf_cstr(&r.out), OPENED "451 qqt failure (#4.3.0)\r\n503 MAIL first (#5.5.1)\r\n");
	end(&r);
	begin(&r);
	r.world.queue_refuses = true;
	feed(&r, STR(GO "a\r\n.\r\nDATA\r\n"), 1000);
	assert_string_equal(buf_cstr(&r.out), GONE "554 no?thanks\r\n503 MAIL first (#5.5.1)\r\n");
	end(&r);
}

static void many_recipients_are_bounded(void **state)
{
	struct run r;

	(void)state;
	settings.max_recipients = 2;
	dialogue(OPEN "RCPT TO:<b@ok.test>\r\nRCPT TO:<c@ok.test>\r\nDATA\r\n.\r\n",
		 OPENED "250 ok\r\n452 too many recipients (#4.5.3)\r\n354 go ahead\r\n" OK,
		 "<s@c.test>(r@ok.test b@ok.test );");
	defaults(NULL);
	/* PS-07: one of a hundred refused. */
	begin(&r);
	feed(&r, STR("MAIL FROM:<>\r\n"), 100);
	for (int i = 0; i < 100; i++)
		feed(&r, i == 50 ? STR("RCPT TO:<a@far.test>\r\n") : STR("RCPT TO:<a@ok.test>\r\n"), 100);
	assert_int_equal(r.session.t.nrecipients, 99);
	assert_string_equal(buf_cstr(&r.world.refused), "a@far.test ");
	end(&r);
}

static void patience_is_limited(void **state)
{
	struct run r;
	int n = 0;

	(void)state;
	begin(&r);
	for (; !r.session.ended && n < 1000; n++)
		feed(&r, STR("XYZZY\r\n"), 100);
	assert_int_equal(n, 21);
	assert_true(str_ends(buf_str(&r.out), STR("421 too many errors (#4.7.0)\r\n")));
	end(&r);
	begin(&r);
	for (n = 0; !r.session.ended && n < 1000; n++)
		feed(&r, STR("NOOP\r\n"), 100);
	assert_int_equal(n, 51);
	end(&r);
	/* PS-07: whoever sends mail may go on for ever, and nothing grows. */
	begin(&r);
	for (n = 0; n < 10000; n++) {
		buf_clear(&r.out);
		buf_clear(&r.world.queue);
		feed(&r, STR("RSET\r\nXYZZY\r\n" GO ".\r\n"), 1000);
		assert_null(r.session.ended);
	}
	assert_int_equal(r.session.counts.messages, 10000);
	end(&r);
}

/* PS-07: a client that disappears leaves nothing, wherever it was. */
static void nothing_is_queued_before_the_end(void **state)
{
	static const struct str input = { GO "line\r\n.\r\n", sizeof(GO "line\r\n.\r\n") - 1 };

	(void)state;
	for (size_t n = 0; n <= input.n; n++) {
		struct run r;

		begin(&r);
		feed(&r, str_head(input, n), n ? n : 1);
		assert_int_equal(r.world.queue.n != 0, n == input.n);
		end(&r);
	}
}

static void replies_wait_for_the_client(void **state)
{
	struct run r;
	struct buf many = BUF_INIT(1 << 20);

	(void)state;
	settings.max_idle = 100000;
	for (int i = 0; i < 10000; i++)
		buf_addz(&many, "HELP\r\n");
	begin(&r);
	buf_clear(&r.out);
	assert_true(smtp_session_feed(&r.session, buf_str(&many), &r.out) < many.n);
	assert_true(r.out.n < SMTP_REPLIES_MAX + 1000);
	end(&r);
	buf_free(&many);
}

static void time_can_run_out(void **state)
{
	struct run r;

	(void)state;
	begin(&r);
	feed(&r, STR(GO "half"), 1000);
	buf_clear(&r.out);
	smtp_session_timeout(&r.session, &r.out);
	assert_string_equal(buf_cstr(&r.out), "451 timeout (#4.4.2)\r\n");
	assert_string_equal(buf_cstr(&r.world.queue), "");
	end(&r);
}

/*
 * SM-01…19: text, a fault, and commands that must not run (unless the fault
 * holds the true end of data, which two of them do).
 */
static void nothing_is_smuggled(void **state)
{
	static const struct {
		struct str fault;
		bool ends, lf;
	} cases[] = {
#define CASE(literal, ends, lf) { { literal, sizeof(literal) - 1 }, ends, lf }
		CASE("\n.\n", false, true),        CASE("\n.\r", false, true),
		CASE("\r.\n", false, true),        CASE("\r.\r", false, false),
		CASE("\n.\r\n", false, true),      CASE("\r.\r\n", false, false),
		CASE("\r\n.\n", false, true),      CASE("\r\n.\r", false, false),
		CASE("\r\n\0.\r\n", false, false), CASE("\r\n.\0\r\n", false, false),
		CASE("\r\n.\r\r\n", false, false), CASE("\r\r\n.\r\r\n", false, false),
		CASE("\r\r\n.\r\n", true, false),  CASE("\0\r\n.\r\n", true, false),
		CASE("\r\0\n.\r\n", false, true),  CASE("\r\n.\r\0\n", false, true),
		CASE("\r\n.\r\n\0", true, false),  CASE("\r\n.\v\r\n", false, false),
		CASE("\r\n. \r\n", false, false),
#undef CASE
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf input = BUF_INIT(1000);

		buf_addz(&input, GO "text");
		buf_add(&input, cases[i].fault);
		buf_addz(&input, "MAIL FROM:<evil@c.test>\r\nRCPT TO:<v@ok.test>\r\nDATA\r\nevil\r\n.\r\n");
		for (size_t size = 1; size <= input.n; size++) {
			struct run r;
			const char *queue;

			begin(&r);
			feed(&r, buf_str(&input), size);
			queue = buf_cstr(&r.world.queue);
			if (cases[i].lf) {
				assert_string_equal(queue, "");
				assert_string_equal(r.session.ended, "bare LF");
			} else if (!cases[i].ends) {
				assert_int_equal(r.session.counts.messages, 1);
				assert_ptr_equal(strstr(queue, "<evil@c.test>("), NULL);
			}
			assert_true(r.session.counts.messages <= (cases[i].ends ? 2 : 1));
			end(&r);
		}
		buf_free(&input);
	}
}

/*
 * PS-02: random commands against a small automaton of its own: whether MAIL
 * and how many RCPT are good decides every reply.
 */
static void random_commands_follow_the_automaton(void **state)
{
	enum { MAIL, BADMAIL, RCPT, BADRCPT, DATA, BADDATA, RSET, HELO, EHLO, NOOP, JUNK, KINDS };
	static const char *const text[KINDS] = {
		[MAIL] = "MAIL FROM:<s@c.test>\r\n",
		[BADMAIL] = "MAIL FROM:<a b>\r\n",
		[RCPT] = "RCPT TO:<r@ok.test>\r\n",
		[BADRCPT] = "RCPT TO:<r@far.test>\r\n",
		[DATA] = "DATA\r\n",
		[BADDATA] = "DATA\r\n",
		[RSET] = "RSET\r\n",
		[HELO] = "HELO x\r\n",
		[EHLO] = "EHLO x\r\n",
		[NOOP] = "NOOP\r\n",
		[JUNK] = "FOO\r\n",
	};

	(void)state;
	settings.max_errors = settings.max_idle = 1000;
	srandom(2);
	for (int round = 0; round < 40000; round++) {
		struct run r;
		bool mail = false;
		unsigned rcpts = 0, accepted = 0;

		begin(&r);
		for (int step = 0, steps = (int)(random() % 50); step < steps; step++) {
			int kind = (int)(random() % KINDS), want;
			bool data = kind == DATA || kind == BADDATA;

			want =
			    data || kind == RCPT || kind == BADRCPT ? mail ? data ? rcpts ? 354 : 503 : 250 : 503 : 250;
			if (kind == BADMAIL)
				want = 555;
			if (kind == BADRCPT && mail)
				want = 553;
			if (kind == JUNK)
				want = 502;
			buf_clear(&r.out);
			r.world.queue_refuses = kind == BADDATA;
			feed(&r, str_of(text[kind]), 1000);
			assert_int_equal(strtol(buf_cstr(&r.out), NULL, 10), want);
			if (want == 354) {
				buf_clear(&r.out);
				feed(&r, STR("x\r\n.\r\n"), 1000);
				assert_int_equal(strtol(buf_cstr(&r.out), NULL, 10), kind == DATA ? 250 : 554);
				accepted += kind == DATA;
			}
			if (kind == MAIL || kind == BADMAIL || kind == RSET || kind == HELO || kind == EHLO ||
			    want == 354) {
				mail = kind == MAIL;
				rcpts = 0;
			}
			rcpts += kind == RCPT && want == 250;
		}
		assert_int_equal(r.session.counts.messages, accepted);
		end(&r);
	}
}

int main(void)
{
#define T(test) cmocka_unit_test_setup(test, defaults)
	const struct CMUnitTest tests[] = {
		T(a_message_is_accepted),
		T(every_command_answers_as_qmail_does),
		T(received_lines_tell_the_client),
		T(relay_clients_may_send_anywhere),
		T(absent_mailboxes_are_refused),
		T(a_bare_lf_ends_the_session),
		T(strange_lines_are_refused_once),
		T(size_limits_hold),
		T(loops_are_broken),
		T(queue_failures_are_passed_on),
		T(many_recipients_are_bounded),
		T(patience_is_limited),
		T(nothing_is_queued_before_the_end),
		T(replies_wait_for_the_client),
		T(time_can_run_out),
		T(nothing_is_smuggled),
		T(random_commands_follow_the_automaton),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
