#include "queuequery/queuefilter.h"

#include <fnmatch.h>
#include <stdlib.h>

#include "wire/attribute.h"

bool queue_filter_any(const struct queue_filter *f)
{
	return f->sender || f->recipient || f->destination || f->reason || f->trace || f->older || f->younger ||
	       f->larger || f->smaller || f->states;
}

bool queue_filter_needs_answers(const struct queue_filter *f)
{
	return f->reason != NULL;
}

static bool matches(const char *pattern, struct str s)
{
	struct buf text = BUF_INIT(SIZE_MAX);
	bool ok;

	if (pattern[0] == '@')
		s = str_from(s, str_rchr(s, '@'));
	buf_add(&text, s);
	ok = fnmatch(pattern, buf_cstr(&text), FNM_CASEFOLD | FNM_NOESCAPE) == 0;
	buf_free(&text);
	return ok;
}

/* Part of the text, without regard to case; blanks in it also stand for ends of lines and, as in the log, for _. */
static bool contains(struct str text, const char *part)
{
	size_t n = strlen(part);

	for (size_t i = 0; i + n <= text.n; i++) {
		size_t k = 0;

		while (k < n &&
		       (chr_lower(text.p[i + k]) == chr_lower(part[k]) ||
			((part[k] == ' ' || part[k] == '_') && (text.p[i + k] == '\n' || text.p[i + k] == ' '))))
			k++;
		if (k == n)
			return true;
	}
	return false;
}

enum route_channel queue_destination(const struct route_tables *routes, struct str address, struct buf *deliver,
				     struct str *out)
{
	enum route_channel channel = route_address(routes, address, deliver).channel;
	struct str routed = buf_str(deliver);
	size_t at = str_rchr(routed, '@');

	if (channel == ROUTE_REMOTE)
		*out = str_from(routed, at + 1);
	else
		*out = str_head(routed, str_chr(str_head(routed, at), '-'));
	return channel;
}

/* One open recipient must fit all that is asked of recipients. */
static bool recipient_matches(const struct queue_filter *f, const struct queue_recipient *r,
			      const struct route_tables *routes)
{
	struct buf deliver = BUF_INIT(SIZE_MAX);
	struct str destination;
	unsigned state;
	bool ok;

	if (r->done || (f->recipient && !matches(f->recipient, r->address)) ||
	    (f->reason && !contains(r->answer, f->reason)))
		return false;
	if (f->destination == NULL && !(f->states & (QUEUE_STATE_LOCAL | QUEUE_STATE_REMOTE)))
		return true;
	state = queue_destination(routes, r->address, &deliver, &destination) == ROUTE_LOCAL ? QUEUE_STATE_LOCAL
											     : QUEUE_STATE_REMOTE;
	ok = (f->destination == NULL || matches(f->destination, destination)) &&
	     !(f->states & (QUEUE_STATE_LOCAL | QUEUE_STATE_REMOTE) & ~state);
	buf_free(&deliver);
	return ok;
}

static bool some_recipient_matches(const struct queue_filter *f, const struct queue_message *m,
				   const struct route_tables *routes)
{
	if (!f->recipient && !f->reason && !f->destination && !(f->states & (QUEUE_STATE_LOCAL | QUEUE_STATE_REMOTE)))
		return true;
	for (uint32_t i = 0; i < m->nrecipients; i++)
		if (recipient_matches(f, &m->recipients[i], routes))
			return true;
	return false;
}

unsigned queue_message_states(const struct queue_message *m, int64_t now)
{
	unsigned failed = m->flags & MESSAGE_FAILED ? QUEUE_STATE_FAILED : 0;

	if (queue_message_held(m))
		return failed | QUEUE_STATE_HELD;
	return failed | (m->due > now ? QUEUE_STATE_DEFERRED : QUEUE_STATE_NEW);
}

bool queue_filter_matches(const struct queue_filter *f, const struct queue_message *m,
			  const struct route_tables *routes, int64_t now)
{
	unsigned own = f->states & ~(unsigned)(QUEUE_STATE_LOCAL | QUEUE_STATE_REMOTE);
	int64_t age = now - m->birth;

	if ((f->older && age < f->older) || (f->younger && age > f->younger) || (f->larger && m->size < f->larger) ||
	    (f->smaller && m->size > f->smaller))
		return false;
	if ((own & queue_message_states(m, now)) != own)
		return false;
	if (f->sender && !matches(f->sender, m->sender))
		return false;
	if (f->trace && !str_eq(queue_attribute(m->attributes, ATTR_TRACE), str_of(f->trace)))
		return false;
	return some_recipient_matches(f, m, routes);
}

/* ---- words --------------------------------------------------------------------------------------- */

struct unit {
	char letter;
	uint64_t factor;
};

static bool with_unit(struct str s, const struct unit *units, size_t n, uint64_t *value)
{
	uint64_t factor = 1;

	for (size_t i = 0; s.n && i < n; i++)
		if (s.p[s.n - 1] == units[i].letter)
			factor = units[i].factor;
	if (factor != 1 || (s.n && s.p[s.n - 1] == units[0].letter))
		s.n--;
	return str_to_u64(s, value) && !__builtin_mul_overflow(*value, factor, value) && *value <= INT64_MAX;
}

bool queue_filter_age(struct str s, int64_t *seconds)
{
	static const struct unit units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
	uint64_t v;

	if (!with_unit(s, units, sizeof units / sizeof *units, &v))
		return false;
	*seconds = (int64_t)v;
	return true;
}

bool queue_filter_size(struct str s, uint64_t *bytes)
{
	static const struct unit units[] = { { 'b', 1 },       { 'k', 1 << 10 }, { 'K', 1 << 10 },
					     { 'm', 1 << 20 }, { 'M', 1 << 20 }, { 'G', 1 << 30 } };

	return with_unit(s, units, sizeof units / sizeof *units, bytes);
}

unsigned queue_filter_state(const char *word)
{
	static const struct {
		const char *word;
		unsigned state;
	} states[] = {
		{ "new", QUEUE_STATE_NEW },     { "deferred", QUEUE_STATE_DEFERRED },
		{ "held", QUEUE_STATE_HELD },   { "failed", QUEUE_STATE_FAILED },
		{ "local", QUEUE_STATE_LOCAL }, { "remote", QUEUE_STATE_REMOTE },
	};

	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (strcmp(states[i].word, word) == 0)
			return states[i].state;
	return 0;
}
