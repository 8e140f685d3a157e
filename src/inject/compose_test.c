#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "inject/compose.h"

/* 20 Nov 2026 17:13:06 UTC */
#define NOW 1795194786

static struct rewrite_rules rules;
static struct identity who;
static struct compose_facts facts;
static struct compose c;
static struct err e;

static int set_up(void **state)
{
	(void)state;
	who = (struct identity){ .user = "root", .sender_user = "root" };
	facts =
	    (struct compose_facts){ .rules = &rules, .who = &who, .idhost = STR("a.test"), .time = NOW, .pid = 13835 };
	compose_init(&c, &facts, (struct compose_options){ 0 });
	return rewrite_init(&rules, STR("a.test"), STR("test"), STR("plus.test"), &e) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	compose_free(&c);
	rewrite_free(&rules);
	return 0;
}

static void add(const char *field)
{
	assert_true(compose_field(&c, str_of(field), &e));
}

static void kept(const char *expected)
{
	assert_string_equal(buf_cstr(&c.kept), expected);
}

static void generated(const char *expected)
{
	struct buf b = BUF_INIT(10000);

	assert_true(compose_generated(&c, &b, &e));
	assert_string_equal(buf_cstr(&b), expected);
	buf_free(&b);
}

static void sender(const char *expected)
{
	struct buf b = BUF_INIT(10000);

	assert_true(compose_sender(&c, &b, &e));
	assert_string_equal(buf_cstr(&b), expected);
	buf_free(&b);
}

static void recipients(const char *expected)
{
	const struct addresses *list = compose_recipients(&c);
	struct buf b = BUF_INIT(10000);

	for (size_t i = 0; i < list->n; i++) {
		buf_addz(&b, i ? " " : "");
		buf_add(&b, addresses_get(list, i));
	}
	assert_string_equal(buf_cstr(&b), expected);
	buf_free(&b);
}

static void the_example_of_the_manual(void **state)
{
	(void)state;
	add("To: a, b@c, \"J. Doe\" <d@e+>, grp: x, y;, <@r1,@r2:z@h.com>, (c) k@l.m.\n");
	kept("To: a@a.test, b@c.test, \"J. Doe\" <d@e.plus.test>, grp: x@a.test, y@a.test;,\n"
	     "  <z@h.com>, k@l.m (c)\n");
	recipients("k@l.m z@h.com y@a.test x@a.test d@e.plus.test b@c.test a@a.test");
}

static void missing_fields_are_generated(void **state)
{
	(void)state;
	add("Subject: 1\n");
	kept("Subject: 1\n");
	generated("Date: 20 Nov 2026 17:13:06 -0000\n"
		  "Message-ID: <20261120171306.13835.qmail@a.test>\n"
		  "From: root@a.test\n"
		  "Cc: recipient list not shown: ;\n");
	sender("root@a.test");
}

static void present_fields_are_not_generated(void **state)
{
	(void)state;
	add("date : x\n");
	add("MESSAGE-ID: <y>\n");
	add("From: z\n");
	add("Cc: w\n");
	kept("date : x\nMESSAGE-ID: <y>\nFrom: z@a.test\nCc: w@a.test\n");
	generated("");
	recipients("w@a.test");
}

static void resent_messages_get_resent_fields(void **state)
{
	(void)state;
	add("To: a\n");
	add("Resent-Bcc: b, c\n");
	kept("To: a@a.test\n");
	recipients("c@a.test b@a.test");
	generated("Resent-Date: 20 Nov 2026 17:13:06 -0000\n"
		  "Resent-Message-ID: <20261120171306.13835.qmail@a.test>\n"
		  "Resent-From: root@a.test\n"
		  "Resent-Cc: recipient list not shown: ;\n");
}

static void some_fields_never_go_out(void **state)
{
	(void)state;
	add("Bcc: b\n");
	add("Return-Path: <r@x>\n");
	add("Return-Path: <second>\n");
	add("Content-Length: 7\n");
	add("Apparently-To: c");
	kept("Apparently-To: c@a.test\n");
	recipients("b@a.test c@a.test");
	sender("r@x.test");
}

static void mbox_lines_become_fields(void **state)
{
	(void)state;
	assert_true(compose_mbox_line(&c, STR("From joe Thu\n x"), &e));
	kept("MBOX-Line: From joe Thu\n x\n");
}

static void letters_delete_and_ignore(void **state)
{
	(void)state;
	c.options =
	    (struct compose_options){ .delete_from = true, .delete_message_id = true, .ignore_return_path = true };
	add("From: (\n");
	add("Message-ID: <x>\n");
	add("Return-Path: x@y.z\n");
	add("To: a\n");
	add("Date: d\n");
	kept("To: a@a.test\nDate: d\n");
	generated("Message-ID: <20261120171306.13835.qmail@a.test>\nFrom: root@a.test\n");
	sender("root@a.test");
}

static void senders_can_be_per_message_and_per_recipient(void **state)
{
	(void)state;
	c.options.sender_per_message = true;
	sender("root-1795194786.13835@a.test");
	c.options.sender_per_recipient = true;
	sender("root-1795194786.13835-@a.test-@[]");
	c.options.sender_per_message = false;
	sender("root-@a.test-@[]");
	add("Return-Path: <l-@x.y>\n");
	sender("l-@x.y-@[]");
}

static void a_null_return_path_stays_null(void **state)
{
	(void)state;
	c.options.sender_per_recipient = true;
	add("Return-Path: <>\n");
	sender("");
}

static void malformed_recipient_fields_pass_unchanged(void **state)
{
	(void)state;
	add("To: good@x.y, (bad\n");
	add("Cc: a@b.c, d: e@f.g\n");
	add("Bcc: )\n");
	add("Cc: fine");
	kept("To: good@x.y, (bad\nCc: a@b.c, d: e@f.g\nCc: fine@a.test\n");
	recipients("fine@a.test");
	assert_int_equal(c.unparsed, 3);
}

static void malformed_sender_fields_are_errors(void **state)
{
	(void)state;
	assert_false(compose_field(&c, STR("Reply-To: a@b.c (x\n"), &e));
	assert_string_equal(e.text, "unable to parse this line:\nReply-To: a@b.c (x");
	assert_int_equal(e.kind, ERR_PERMANENT);
}

static void identities_are_quoted(void **state)
{
	(void)state;
	who = (struct identity){
		.user = "j d", .host = "h+", .name = "J. \"Q\" \\Doe", .sender_user = "s", .sender_host = "i"
	};
	add("To: a\n");
	add("Date: d\n");
	add("Message-ID: i\n");
	generated("From: \"J. \\\"Q\\\" \\\\Doe\" <\"j d\"@h.plus.test>\n");
	sender("s@i.test");
	c.options.name_as_comment = true;
	who.name = "J (Q) Doe";
	generated("From: \"j d\"@h.plus.test (J \\(Q\\) Doe)\n");
	who = (struct identity){ .user = "x", .sender_user = "", .name = "" };
	generated("From: x@a.test\n");
	sender("@a.test");
}

static void followups_are_asked_for_lists(void **state)
{
	struct control_map lists;

	(void)state;
	control_set_single(&lists, STR("list@x.test"));
	facts.followup = &lists;
	add("To: a, \"b c\" <d@e>\n");
	add("Cc: f\n");
	add("Date: d\n");
	add("Message-ID: i\n");
	generated("From: root@a.test\n");
	add("Cc: LIST@x\n");
	generated("From: root@a.test\n"
		  "Mail-Followup-To: LIST@x.test,\n  f@a.test,\n  a@a.test,\n  d@e.test\n");
	add("Mail-Followup-To: me\n");
	generated("From: root@a.test\n");
	control_map_free(&lists);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_example_of_the_manual),          TEST(missing_fields_are_generated),
		TEST(present_fields_are_not_generated),   TEST(resent_messages_get_resent_fields),
		TEST(some_fields_never_go_out),           TEST(mbox_lines_become_fields),
		TEST(letters_delete_and_ignore),          TEST(senders_can_be_per_message_and_per_recipient),
		TEST(a_null_return_path_stays_null),      TEST(malformed_recipient_fields_pass_unchanged),
		TEST(malformed_sender_fields_are_errors), TEST(identities_are_quoted),
		TEST(followups_are_asked_for_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
