#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/recipientproto.h"

static void questions_come_back_whole(void **state)
{
	const struct recipient_question in = { 0xfedcba98, STR("joe-list@a.test") };
	struct recipient_question out;
	struct buf b = BUF_INIT(RECIPIENT_PACKET_MAX);

	(void)state;
	recipient_put_question(&b, &in);
	assert_true(recipient_get_question(buf_str(&b), &out));
	assert_int_equal(out.id, in.id);
	assert_true(str_eq(out.address, in.address));
	for (size_t n = 0; n < b.n; n++)
		assert_false(recipient_get_question(str_head(buf_str(&b), n), &out));
	buf_addc(&b, 0);
	assert_false(recipient_get_question(buf_str(&b), &out));
	buf_free(&b);
}

static void answers_come_back_whole(void **state)
{
	struct recipient_reply out;

	(void)state;
	for (int answer = 0; answer <= 5; answer++) {
		const struct recipient_reply in = { 7, { (enum recipient_answer)answer, 123456789012 } };
		struct buf b = BUF_INIT(RECIPIENT_PACKET_MAX);

		recipient_put_reply(&b, &in);
		assert_int_equal(recipient_get_reply(buf_str(&b), &out),
				 answer >= RECIPIENT_EXISTS && answer <= RECIPIENT_UNKNOWN);
		assert_int_equal(out.id, 7);
		assert_int_equal(out.found.answer, answer);
		assert_int_equal(out.found.room, 123456789012);
		for (size_t n = 0; n < b.n; n++)
			assert_false(recipient_get_reply(str_head(buf_str(&b), n), &out));
		buf_free(&b);
	}
}

static void one_is_not_taken_for_the_other(void **state)
{
	const struct recipient_question q = { 1, STR("") };
	const struct recipient_reply r = { 1, { RECIPIENT_EXISTS, RECIPIENT_ROOM_ANY } };
	struct recipient_question question;
	struct recipient_reply reply;
	struct buf b = BUF_INIT(RECIPIENT_PACKET_MAX), c = BUF_INIT(RECIPIENT_PACKET_MAX);

	(void)state;
	recipient_put_question(&b, &q);
	assert_false(recipient_get_reply(buf_str(&b), &reply));
	recipient_put_reply(&c, &r);
	assert_false(recipient_get_question(buf_str(&c), &question));
	buf_free(&b);
	buf_free(&c);
}

static void longest_address_fits_a_packet(void **state)
{
	static char text[RECIPIENT_ADDRESS_MAX + 1] = { 'a' };
	struct recipient_question q = { 1, { text, RECIPIENT_ADDRESS_MAX } };
	struct buf b = BUF_INIT(RECIPIENT_PACKET_MAX), c = BUF_INIT(2 * RECIPIENT_PACKET_MAX);

	(void)state;
	recipient_put_question(&b, &q);
	assert_true(buf_ok(&b));
	assert_true(recipient_get_question(buf_str(&b), &q));
	q.address = (struct str){ text, RECIPIENT_ADDRESS_MAX + 1 };
	recipient_put_question(&c, &q);
	assert_false(recipient_get_question(buf_str(&c), &q));
	buf_free(&b);
	buf_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions_come_back_whole),
		cmocka_unit_test(answers_come_back_whole),
		cmocka_unit_test(one_is_not_taken_for_the_other),
		cmocka_unit_test(longest_address_fits_a_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
