#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analog/pairing.h"

/* The whole log, and what must come out of it and be left of it. */
static void pairs(const char *log, const char *want, const char *pending)
{
	struct pairing *p = pairing_start((struct hash_key){ 1, 2 });
	struct buf out = BUF_INIT(10000), rest = BUF_INIT(10000);
	struct str lines = str_of(log), line;

	while (str_next_line(&lines, &line))
		pairing_line(p, line, &out);
	pairing_pending(p, &rest);
	assert_string_equal(buf_cstr(&out), want);
	assert_string_equal(buf_cstr(&rest), pending);
	pairing_free(p);
	buf_free(&out);
	buf_free(&rest);
}

#define INFO "1.5 new msg 7\n1.6 info msg 7: bytes 900 from <Joe@A.test> qp 12 uid 501\n"

static void a_message_from_begin_to_end(void **state)
{
	(void)state;
	pairs(INFO "2.0 starting delivery 1: msg 7 to remote X@B.test\n"
		   "2.0 status: local 0/10 remote 1/20\n"
		   "2.1 starting delivery 2: msg 7 to local y@a.test\n"
		   "2.5 delivery 2: success: did_1+0+0/\n"
		   "3.5 delivery 1: deferral: Sorry/\n"
		   "4.0 starting delivery 3: msg 7 to remote X@B.test\n"
		   "4.5 delivery 3: failure: no\n"
		   "5.0 end msg 7\n",
	      "d k 1.6 2.1 2.5 900 <joe@a.test> local.y@a.test 12 501 did_1+0+0/\n"
	      "d z 1.6 2.0 3.5 900 <joe@a.test> remote.x@b.test 12 501 Sorry/\n"
	      "d d 1.6 4.0 4.5 900 <joe@a.test> remote.x@b.test 12 501 no\n"
	      "m 1.6 5.0 900 1 1 1 <joe@a.test> 12 501\n",
	      "");
}

static void other_lines_pass(void **state)
{
	(void)state;
	pairs("1 warning: trouble  here\n2 alert: x\n3 bounce msg 7 qp 9\n4 end msg 9\n5 delivery 3: success: x\n\n"
	      "6 info msg 7: bytes\n7 number x\n8 delivery 1: strange: x\n",
	      "1 warning: trouble  here\n2 alert: x\n? 3 bounce msg 7 qp 9\n? \n? 6 info msg 7: bytes\n", "");
}

static void deliveries_without_message(void **state)
{
	(void)state;
	pairs("2.0 starting delivery 1: msg 7 to remote x@b\n2.5 delivery 1: report mangled, will defer\n"
	      "3.0 starting delivery 2: msg 7 to remote x@b\n3.5 delivery 2: success: \n",
	      "d z 2.0 2.0 2.5 0 ? remote.x@b ? ? report_mangled\nd k 3.0 3.0 3.5 0 ? remote.x@b ? ? \n", "");
}

static void goes_on_with_what_was_pending(void **state)
{
	(void)state;
	pairs(INFO "2.0 starting delivery 1: msg 7 to remote x@b\n2.5 delivery 1: deferral: x\n"
		   "3.0 starting delivery 2: msg 7 to remote x@b\n",
	      "d z 1.6 2.0 2.5 900 <joe@a.test> remote.x@b 12 501 x\n",
	      "1.6 info msg 7: bytes 900 from <joe@a.test> qp 12 uid 501\n1.6 extra 7 0 1 0\n"
	      "3.0 starting delivery 2: msg 7 to remote x@b\n");
	pairs("1.6 info msg 7: bytes 900 from <joe@a.test> qp 12 uid 501\n1.6 extra 7 0 1 2\n"
	      "3.0 starting delivery 2: msg 7 to remote x@b\n4.0 delivery 2: success: ok\n5.0 end msg 7\n",
	      "d k 1.6 3.0 4.0 900 <joe@a.test> remote.x@b 12 501 ok\nm 1.6 5.0 900 1 2 1 <joe@a.test> 12 501\n", "");
	pairs("3.0 starting delivery 2: msg 7 to remote x@b\n4.0 running\n5 delivery 2: success: ok\n", "", "");
}

static void labels_become_seconds(void **state)
{
	(void)state;
	pairs("@4000000037c219bf2ef02e94 info msg 7: bytes 1 from <> qp 12 uid 501\n@4000000037c219c000000001 end msg "
	      "7\n",
	      "m 935467445.787492500 935467446.000000001 1 0 0 0 <> 12 501\n", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_from_begin_to_end), cmocka_unit_test(other_lines_pass),
		cmocka_unit_test(deliveries_without_message),  cmocka_unit_test(goes_on_with_what_was_pending),
		cmocka_unit_test(labels_become_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
