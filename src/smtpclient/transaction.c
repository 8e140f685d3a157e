#include "smtpclient/transaction.h"

#include <stdlib.h>

#include "base/mem.h"

#define ADDRESS_MAX 1003

static void record_clear(struct transaction_record *r)
{
	buf_free(&r->text);
	r->letter = 0;
}

void transaction_init(struct transaction *t, struct str sender, const struct str *recipients, size_t n)
{
	*t = (struct transaction){ .sender = sender, .recipients = recipients, .nrecipients = n };
	t->rcpt = mem_zero(n, sizeof *t->rcpt);
	for (size_t i = 0; i < n; i++)
		t->rcpt[i].text.limit = TRANSACTION_TEXT_MAX;
	t->message.text.limit = TRANSACTION_TEXT_MAX;
}

void transaction_restart(struct transaction *t)
{
	for (size_t i = 0; i < t->nrecipients; i++)
		record_clear(&t->rcpt[i]);
	record_clear(&t->message);
	t->stage = TRANSACTION_NEW;
	t->lost_before = NULL;
	t->late = false;
	t->wishes_told = t->try_another = t->refused = t->asked = t->chunk = false;
	t->replies = t->next_rcpt = t->end = t->accepted = 0;
	t->body = TRANSACTION_BODY_NOT_YET;
	t->chunk_left = t->end_at = 0;
}

void transaction_free(struct transaction *t)
{
	if (t->rcpt)
		transaction_restart(t);
	free(t->rcpt);
	t->rcpt = NULL;
}

void transaction_record_set(struct transaction_record *r, char letter, struct str text)
{
	buf_clear(&r->text);
	buf_add(&r->text, str_head(text, TRANSACTION_TEXT_MAX));
	r->letter = letter;
}

size_t transaction_left(const struct transaction *t)
{
	bool none = t->message.letter == 'D' && t->accepted == 0 && !t->refused && t->end < t->nrecipients &&
		    t->next_rcpt >= t->end;
	size_t n = 0;

	for (size_t i = 0; (t->message.letter == 'K' || none) && i < t->nrecipients; i++)
		n += t->rcpt[i].letter == 0;
	return t->end ? n : 0;
}

bool transaction_address_valid(struct str address)
{
	size_t at = str_rchr(address, '@');

	if (address.n > ADDRESS_MAX || str_has_control(address))
		return false;
	for (size_t i = at; i < address.n; i++)
		if (address.p[i] == ' ' || address.p[i] == '<' || address.p[i] == '>')
			return false;
	return true;
}

static int rank(char letter)
{
	return letter == 'K' ? 2 : letter == 'Z' ? 1 : 0;
}

bool transaction_no_better(char letter, char than)
{
	return rank(letter) <= rank(than);
}

char transaction_result(const struct transaction *t, size_t recipient, struct buf *text)
{
	const struct transaction_record *rcpt = &t->rcpt[recipient], *message = &t->message;
	char forced;

	if (rcpt->letter != 'h' && rcpt->letter != 's') {
		buf_add(text, buf_str(&message->text));
		return message->letter;
	}
	forced = rcpt->letter == 'h' ? 'D' : 'Z';
	buf_add(text, buf_str(&rcpt->text));
	if (transaction_no_better(message->letter, forced))
		buf_add(text, buf_str(&message->text));
	return forced;
}
