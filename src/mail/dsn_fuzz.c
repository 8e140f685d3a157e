/* Values that are found good decode to printable text of bounded size, and mean the same when written again. */
#include <stdlib.h>

#include "mail/dsn.h"
#include "mail/xtext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_notify(struct str s)
{
	struct buf b = BUF_INIT(100);
	uint8_t notify, again;

	if (dsn_parse_notify(s, &notify)) {
		dsn_add_notify(&b, notify);
		require(notify && dsn_parse_notify(buf_str(&b), &again) && again == notify);
	}
	buf_free(&b);
}

static void check_xtext(struct str s)
{
	struct buf plain = BUF_INIT(1000), text = BUF_INIT(3000);

	xtext_encode(&text, str_head(s, 1000));
	require(xtext_decode(&plain, buf_str(&text)) && str_eq(buf_str(&plain), str_head(s, 1000)));
	buf_clear(&plain);
	if (dsn_envid_ok(s))
		require(s.n <= DSN_ENVID_MAX && xtext_decode(&plain, s) && !str_has_control(buf_str(&plain)));
	if (dsn_orcpt_ok(s))
		require(s.n <= DSN_ORCPT_MAX && !str_has_control(s) && str_chr(s, ' ') == s.n);
	buf_clear(&plain);
	if (xtext_decode_utf8(&plain, s))
		require(utf8_valid(buf_str(&plain)));
	buf_free(&plain);
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = { (const char *)data, size };

	check_notify(s);
	check_xtext(s);
	return 0;
}
