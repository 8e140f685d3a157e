/*
 * A hostile server: the input is what it sends, with 0xff marking where the
 * session may write in between. Checks what a receiver would see.
 */
#include <assert.h>
#include <stdlib.h>

#include "smtpclient/clientsession.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void turn(struct session *s, struct transaction *next)
{
	if (next->stage == TRANSACTION_NEW && session_takes(s, true))
		session_begin(s, next);
	for (const struct transaction *t; (t = session_wants_content(s)) != NULL;) {
		session_content(s, STR(".a\r.\n\rb\n"));
		if (session_wants_content(s) == t)
			session_content_end(s);
	}
	assert(buf_ok(&s->out));
	for (size_t i = 0; i < s->out.n; i++)
		if (s->out.p[i] == '\r')
			assert(i + 1 < s->out.n && s->out.p[i + 1] == '\n');
	session_wrote(s, s->out.n);
}

static void check(const struct transaction *t)
{
	struct buf text = BUF_INIT(100000);

	for (size_t i = 0; i < t->nrecipients && t->stage == TRANSACTION_DONE; i++) {
		char letter = transaction_result(t, i, &text);

		assert(letter == 'K' || letter == 'Z' || letter == 'D');
		/* A message counts as accepted only when the server had all of it. */
		assert(letter != 'K' || (t->accepted > 0 && !t->try_another));
	}
	assert(buf_ok(&text));
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct str to[] = { { "a@h", 3 }, { "b c@h", 5 } };
	struct str rest = { (const char *)data, size }, part;
	struct transaction t, next;
	struct session s;

	session_init(&s, "192.0.2.1", STR("me"));
	transaction_init(&t, STR("s@h"), to, 2);
	transaction_init(&next, STR(""), to + 1, 1);
	t.wire_size = next.wire_size = 9;
	t.exact = true;
	next.exact = size % 3 > 0;
	next.wire_size += size % 5 == 0;
	session_begin(&s, &t);
	while (rest.n) {
		str_cut(rest, (char)255, &part, &rest);
		session_input(&s, part);
		turn(&s, &next);
	}
	session_lost(&s);
	assert(t.stage == TRANSACTION_DONE && s.stage == SESSION_BROKEN);
	check(&t);
	check(&next);
	session_free(&s);
	transaction_free(&t);
	transaction_free(&next);
	return 0;
}
