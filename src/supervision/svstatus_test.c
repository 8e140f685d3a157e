#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "supervision/svstatus.h"

static const unsigned char example[SVSTATUS_SIZE] = { 0x40, 0,    0,    0,    0x37, 0xc2, 0x19, 0xbf, 0x2e,
						      0xf0, 0x2e, 0x94, 0x39, 0x30, 0,    0,    1,    'd' };

static void time_is_big_endian_and_pid_little(void **state)
{
	unsigned char packed[SVSTATUS_SIZE];
	struct svstatus s = svstatus_unpack(example);

	(void)state;
	assert_int_equal(tai64n_unix(s.since), 935467445);
	assert_int_equal(s.pid, 12345);
	assert_true(s.paused);
	assert_int_equal(s.want, 'd');
	svstatus_pack(packed, &s);
	assert_memory_equal(packed, example, sizeof packed);
}

static void says(uint32_t pid, bool paused, char want, bool normally_up, int64_t age, const char *text)
{
	struct svstatus s = { .since = tai64n_from_unix_ns(0), .pid = pid, .paused = paused, .want = want };
	struct buf out = BUF_INIT(200);

	svstatus_text(&out, &s, normally_up, age);
	assert_string_equal(buf_cstr(&out), text);
	buf_free(&out);
}

static void words_are_svstats(void **state)
{
	(void)state;
	says(7, false, 'u', true, 61, "up (pid 7) 61 seconds");
	says(7, true, 'd', false, 0, "up (pid 7) 0 seconds, normally down, paused, want down");
	says(0, false, 'u', true, 5, "down 5 seconds, normally up, want up");
	says(0, false, 'd', false, 5, "down 5 seconds");
	says(0, false, 0, false, -5, "down 0 seconds");
}

static void older_form_has_unix_time(void **state)
{
	unsigned char packed[OLDSTATUS_SIZE];
	struct svstatus s = { .since = tai64n_from_unix_ns(1000000007), .pid = 258, .paused = true, .want = 'u' }, back;
	struct buf out = BUF_INIT(200);
	bool normally_up;

	(void)state;
	oldstatus_pack(packed, &s, true);
	assert_memory_equal(packed, "\x40\0\0\0\0\0\0\1\0\0\0\7\0\0\0\0\2\1\0\0\1\1u", sizeof packed);
	back = oldstatus_unpack(packed, &normally_up);
	assert_true(normally_up && back.pid == 258 && back.paused && back.want == 'u' &&
		    back.since.seconds == s.since.seconds);
	oldstatus_text(&out, &back, false);
	assert_string_equal(buf_cstr(&out), "1 up pid 258, normally down, paused");
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_is_big_endian_and_pid_little),
		cmocka_unit_test(words_are_svstats),
		cmocka_unit_test(older_form_has_unix_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
