#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "qmtp/netreader.h"
#include "qmtp/qmtpreceive.h"

struct source {
	struct str rest;
	size_t piece;
};

static ssize_t read_piece(void *ctx, void *data, size_t n)
{
	struct source *s = ctx;
	struct str piece = str_head(s->rest, s->piece < n ? s->piece : n);

	memcpy(data, piece.p, piece.n);
	s->rest = str_from(s->rest, piece.n);
	return (ssize_t)piece.n;
}

/* Writes down what is called: "B{content}F<sender>T<recipient>E", `!` for what is not usable. */
static struct buf told;
static bool refuse;

static bool begin(void *ctx)
{
	(void)ctx;
	buf_addz(&told, "B");
	return !refuse;
}

static void content(void *ctx, struct str data)
{
	(void)ctx;
	buf_add(&told, data);
}

static void address(char what, struct str a, bool usable)
{
	buf_addf(&told, "%s%c%.*s", usable ? "" : "!", what, STR_ARG(a));
}

static void sender(void *ctx, struct str a, bool usable)
{
	(void)ctx;
	address('F', a, usable);
}

static void recipient(void *ctx, struct str a, bool usable)
{
	(void)ctx;
	address('T', a, usable);
}

static void end(void *ctx)
{
	(void)ctx;
	buf_addz(&told, "E");
}

static void cancel(void *ctx)
{
	(void)ctx;
	buf_addz(&told, "C");
}

static const struct qmtp_ops ops = { begin, content, sender, recipient, end, cancel };

typedef enum net_state receiver(struct netreader *, const struct qmtp_ops *, void *);

/* All messages of a connection; however the bytes come, the same must happen. */
static void serve(receiver *receive, struct str bytes, const char *want, enum net_state last)
{
	static struct netreader r;
	enum net_state state;

	for (size_t piece = 1; piece < 70; piece = piece * 2 + 1) {
		struct source s = { bytes, piece };

		told.limit = 100000;
		buf_clear(&told);
		netreader_start(&r, read_piece, &s);
		do
			state = receive(&r, &ops, NULL);
		while (state == NET_OK);
		assert_string_equal(buf_cstr(&told), want);
		assert_int_equal(state, last);
	}
}

static void qmtp(const char *bytes, const char *want, enum net_state last)
{
	serve(qmtp_receive, str_of(bytes), want, last);
}

static void qmqp(const char *bytes, const char *want, enum net_state last)
{
	serve(qmqp_receive, str_of(bytes), want, last);
}

static void qmtp_messages(void **state)
{
	(void)state;
	qmtp("", "", NET_END);
	qmtp("5:\na\r\nb,3:s@x,12:3:r@y,3:t@z,,", "Ba\r\nbFs@xTr@yTt@zE", NET_END);
	qmtp("7:\ra\r\nb\r\n,0:,6:3:r@y,,", "Ba\nb\nFTr@yE", NET_END);
	qmtp("3:\ra\r,0:,0:,", "Ba\rFE", NET_END);
	qmtp("1:\n,1:s,4:1:r,,1:\n,1:s,4:1:r,,", "BFsTrEBFsTrE", NET_END);
	qmtp("01:\n,1:s,004:1:r,,", "BFsTrE", NET_END);
}

static void qmtp_faults(void **state)
{
	(void)state;
	qmtp("0:,1:s,4:1:r,,", "", NET_MALFORMED);
	qmtp("1:x,1:s,4:1:r,,", "", NET_MALFORMED);
	qmtp(":\n,", "", NET_MALFORMED);
	qmtp("a", "", NET_MALFORMED);
	qmtp("-1:\n,", "", NET_MALFORMED);
	qmtp("1 :\n,", "", NET_MALFORMED);
	qmtp("1:\nx", "BC", NET_MALFORMED);
	qmtp("1:\n,1:s,3:1:r,,", "BFsC", NET_MALFORMED);
	qmtp("1:\n,1:s,5:1:r,,,", "BFsTrC", NET_MALFORMED);
	qmtp("1:\n,1:s,2:10:r,", "BFsC", NET_MALFORMED);
	qmtp("2000000001:", "", NET_TOO_LONG);
	qmtp("99999999999999999999999999:", "", NET_TOO_LONG);
	qmtp("1:\n,1:s,4:1:r", "BFsC", NET_END);
	refuse = true;
	qmtp("1:\n,1:s,4:1:r,,", "B", NET_FAILED);
	refuse = false;
}

static void an_end_anywhere_is_no_message(void **state)
{
	struct str whole = STR("5:\na\r\nb,3:s@x,12:3:r@y,3:t@z,,");
	static struct netreader r;

	(void)state;
	for (size_t n = 0; n < whole.n; n++) {
		struct source s = { str_head(whole, n), 1000 };

		buf_clear(&told);
		netreader_start(&r, read_piece, &s);
		assert_int_equal(qmtp_receive(&r, &ops, NULL), NET_END);
		assert_int_equal(str_chr(buf_str(&told), 'E'), told.n);
	}
}

static void addresses_that_cannot_be_used(void **state)
{
	struct buf bytes = BUF_INIT(10000), want = BUF_INIT(10000);
	char a[1001];

	(void)state;
	serve(qmtp_receive, STR("1:\n,2:s\0,9:2:\0t,1:r,,"), "B!F!TTrE", NET_END);
	memset(a, 'a', sizeof a);
	buf_addz(&bytes, "1:\n,");
	netstring_add(&bytes, (struct str){ a, 1000 });
	buf_addz(&bytes, "2011:");
	netstring_add(&bytes, (struct str){ a, 999 });
	netstring_add(&bytes, (struct str){ a, 1001 });
	buf_addz(&bytes, ",");
	buf_addz(&want, "B!FT");
	buf_add(&want, (struct str){ a, 999 });
	buf_addz(&want, "!TE");
	serve(qmtp_receive, buf_str(&bytes), buf_cstr(&want), NET_END);
	buf_free(&bytes);
	buf_free(&want);
}

static void qmqp_messages(void **state)
{
	(void)state;
	qmqp("", "", NET_END);
	qmqp("18:3:a\nb,1:s,1:r,1:t,,", "Ba\nbFsTrTtE", NET_END);
	qmqp("6:0:,0:,,", "BFE", NET_END);
	qmqp("17:3:a\nb,1:s,1:r,1:t,,", "Ba\nbFsTrC", NET_MALFORMED);
	qmqp("19:3:a\nb,1:s,1:r,1:t,,", "Ba\nbFsTrTtC", NET_MALFORMED);
	qmqp("3:5:abcde,0:,,", "BC", NET_MALFORMED);
	qmqp("x", "", NET_MALFORMED);
}

static void exit_codes(void **state)
{
	(void)state;
	assert_int_equal(qmtp_exit_code(NET_OK), 0);
	assert_int_equal(qmtp_exit_code(NET_END), 0);
	assert_int_equal(qmtp_exit_code(NET_MALFORMED), 100);
	assert_int_equal(qmtp_exit_code(NET_TOO_LONG), 111);
	assert_int_equal(qmtp_exit_code(NET_FAILED), 111);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(qmtp_messages),
		cmocka_unit_test(qmtp_faults),
		cmocka_unit_test(an_end_anywhere_is_no_message),
		cmocka_unit_test(addresses_that_cannot_be_used),
		cmocka_unit_test(qmqp_messages),
		cmocka_unit_test(exit_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
