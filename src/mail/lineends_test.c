#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mail/lineends.h"

static struct str added(struct buf *out, struct str text, size_t piece)
{
	for (size_t at = 0; at < text.n; at += piece)
		lineends_add(out, str_head(str_from(text, at), piece));
	return buf_str(out);
}

static struct str removed(struct buf *out, struct str text, size_t piece)
{
	struct lineends s = { false };

	for (size_t at = 0; at < text.n; at += piece)
		lineends_remove(&s, out, str_head(str_from(text, at), piece));
	lineends_end(&s, out);
	return buf_str(out);
}

static struct str fixed(struct buf *out, struct str text, size_t piece)
{
	struct lineends s = { false };

	for (size_t at = 0; at < text.n; at += piece)
		lineends_fix(&s, out, str_head(str_from(text, at), piece));
	return buf_str(out);
}

static void check(struct str (*what)(struct buf *, struct str, size_t), const char *in, const char *want)
{
	struct buf out = BUF_INIT(1000);

	for (size_t piece = 1; piece < 6; piece++) {
		buf_clear(&out);
		assert_true(str_eq(what(&out, str_of(in), piece), str_of(want)));
	}
	buf_free(&out);
}

static void vectors(void **state)
{
	(void)state;
	check(removed, "a\r\r\nb\r", "a\r\nb\r");
	check(removed, "\r\n\n\r\r", "\n\n\r\r");
	check(removed, "\rx\r\n", "\rx\n");
	check(added, "\n", "\r\n");
	check(added, "\r\n", "\r\r\n");
	check(fixed, "a\nb\r\n", "a\r\nb\r\n");
	check(fixed, "\n\r\r\n\r", "\r\n\r\r\n\r");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
