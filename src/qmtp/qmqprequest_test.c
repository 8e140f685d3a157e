#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "qmtp/qmqprequest.h"

static void envelope(struct str bytes, bool whole, const char *want)
{
	struct buf request = BUF_INIT(10000);
	size_t at = 0;
	bool ended = false;

	/* It ends exactly with its last byte, not before. */
	for (size_t n = 0; n <= bytes.n; n++) {
		ended = qmqprequest_envelope_whole(str_head(bytes, n), &at);
		if (n < bytes.n && want)
			assert_false(ended);
	}
	assert_int_equal(ended, whole);
	assert_int_equal(qmqprequest_make(STR("a\nb"), bytes, &request), want != NULL);
	if (want)
		assert_string_equal(buf_cstr(&request), want);
	buf_free(&request);
}

static void envelopes(void **state)
{
	(void)state;
	envelope(STR("Fs@x\0Tr@y\0\0"), true, "18:3:a\nb,3:s@x,3:r@y,,");
	envelope(STR("F\0Tr\0Tt\0\0"), true, "17:3:a\nb,0:,1:r,1:t,,");
	envelope(STR("F\0\0"), true, "9:3:a\nb,0:,,");
	envelope(STR("Fs\0Tr\0"), false, NULL);
	envelope(STR("Fs\0Tr"), false, NULL);
	envelope(STR(""), false, NULL);
	envelope(STR("Ts\0\0"), true, NULL);
	envelope(STR("\0"), true, NULL);
	envelope(STR("Fs\0Fr\0\0"), true, NULL);
}

static void long_messages_have_long_lengths(void **state)
{
	struct buf request = BUF_INIT(10000);
	char message[1000] = { 0 };

	(void)state;
	for (size_t n = 0; n <= sizeof message; n = n * 10 + (n == 0)) {
		size_t colon;
		uint64_t outer;

		buf_clear(&request);
		assert_true(qmqprequest_make((struct str){ message, n }, STR("F\0\0"), &request));
		colon = str_chr(buf_str(&request), ':');
		assert_true(str_to_u64(str_head(buf_str(&request), colon), &outer));
		assert_int_equal(colon + 1 + outer + 1, request.n);
	}
	buf_free(&request);
}

static void servers(void **state)
{
	static const struct {
		const char *line, *host;
		unsigned port;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1", 628 },
		{ "192.0.2.1:99", "192.0.2.1", 99 },
		{ "a.b", "a.b", 628 },
		{ "a.b:65535", "a.b", 65535 },
		{ "2001:db8::1", "2001:db8::1", 628 },
		{ "[::1]", "[::1]", 628 },
		{ "[::1]:7", "[::1]", 7 },
		{ "a:0", NULL, 0 },
		{ "a:65536", NULL, 0 },
		{ "a:x", NULL, 0 },
		{ ":25", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint16_t port = 628;
		struct str host;

		assert_int_equal(qmqprequest_server(str_of(rows[i].line), &host, &port), rows[i].host != NULL);
		if (rows[i].host == NULL)
			continue;
		assert_true(str_eq(host, str_of(rows[i].host)));
		assert_int_equal(port, rows[i].port);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(envelopes),
		cmocka_unit_test(long_messages_have_long_lengths),
		cmocka_unit_test(servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
