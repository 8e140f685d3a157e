#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "queuequery/queuefilter.h"

#define NOW 1000000

static struct queue_recipient recipients[] = {
	{ STR("Ann@Far.test"), STR(""), true, 'D', STR("no such user\n") },
	{ STR("bob@near.test"), STR(""), false, 'Z', STR("Connected to 10.0.0.1 but\nconnection died.\n") },
	{ STR("joe-list@here.test"), STR(""), false, 0, STR("") },
};
static const struct queue_message message = { .id = 7,
					      .birth = NOW - 7200,
					      .due = NOW + 60,
					      .size = 5000,
					      .flags = MESSAGE_FAILED,
					      .sender = STR("Boss@Corp.test"),
					      .attributes = STR("\x0c\x02\0\0\0t1"),
					      .recipients = recipients,
					      .nrecipients = 3 };
static struct route_tables routes;

static bool meant(struct queue_filter f)
{
	return queue_filter_matches(&f, &message, &routes, NOW);
}

#define MEANT(...) assert_true(meant((struct queue_filter){ __VA_ARGS__ }))
#define NOT_MEANT(...) assert_false(meant((struct queue_filter){ __VA_ARGS__ }))

static void addresses_are_patterns(void **state)
{
	(void)state;
	MEANT(.sender = "boss@corp.test");
	MEANT(.sender = "*@corp.*");
	MEANT(.sender = "@CORP.test");
	NOT_MEANT(.sender = "");
	NOT_MEANT(.sender = "corp.test");
	MEANT(.recipient = "bob@*");
	/* Done already. */
	NOT_MEANT(.recipient = "ann@far.test");
	MEANT(.destination = "near.test");
	MEANT(.destination = "joe");
	NOT_MEANT(.destination = "far.test");
}

static void one_recipient_must_fit_all(void **state)
{
	(void)state;
	MEANT(.recipient = "bob@*", .reason = "connection died");
	NOT_MEANT(.recipient = "joe*", .reason = "connection died");
	MEANT(.reason = "but connection");
	MEANT(.reason = "but_Connection_died");
	NOT_MEANT(.reason = "no such user");
	MEANT(.states = QUEUE_STATE_LOCAL, .destination = "joe");
	NOT_MEANT(.states = QUEUE_STATE_REMOTE, .destination = "joe");
}

static void numbers_and_states(void **state)
{
	(void)state;
	MEANT(.older = 7200);
	NOT_MEANT(.older = 7201);
	MEANT(.younger = 7200);
	NOT_MEANT(.younger = 7199);
	MEANT(.larger = 5000, .smaller = 5000);
	NOT_MEANT(.larger = 5001);
	NOT_MEANT(.smaller = 4999);
	MEANT(.states = QUEUE_STATE_DEFERRED | QUEUE_STATE_FAILED);
	NOT_MEANT(.states = QUEUE_STATE_HELD);
	NOT_MEANT(.states = QUEUE_STATE_NEW);
	MEANT(.trace = "t1");
	NOT_MEANT(.trace = "t");
	MEANT(0);
}

static void words(void **state)
{
	int64_t s;
	uint64_t b;

	(void)state;
	assert_true(queue_filter_age(STR("90"), &s) && s == 90);
	assert_true(queue_filter_age(STR("90s"), &s) && s == 90);
	assert_true(queue_filter_age(STR("2h"), &s) && s == 7200);
	assert_true(queue_filter_age(STR("1w"), &s) && s == 604800);
	assert_false(queue_filter_age(STR(""), &s));
	assert_false(queue_filter_age(STR("h"), &s));
	assert_false(queue_filter_age(STR("2x"), &s));
	assert_false(queue_filter_age(STR("99999999999999999999"), &s));
	assert_false(queue_filter_age(STR("9999999999999999w"), &s));
	assert_true(queue_filter_size(STR("5M"), &b) && b == 5 << 20);
	assert_true(queue_filter_size(STR("10b"), &b) && b == 10);
	assert_int_equal(queue_filter_state("held"), QUEUE_STATE_HELD);
	assert_int_equal(queue_filter_state("hel"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_patterns),
		cmocka_unit_test(one_recipient_must_fit_all),
		cmocka_unit_test(numbers_and_states),
		cmocka_unit_test(words),
	};

	routes.envnoathost = BUF_INIT(100);
	buf_addz(&routes.envnoathost, "here.test");
	control_set_single(&routes.locals, STR("here.test"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
