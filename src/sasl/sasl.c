#include "sasl/sasl.h"

#include "base/base64.h"

enum { STATE_NONE, STATE_PLAIN, STATE_LOGIN_USER, STATE_LOGIN_PASSWORD };

void sasl_free(struct sasl *s)
{
	buf_free_secret(&s->user);
	buf_free_secret(&s->password);
	buf_free_secret(&s->challenge);
	*s = SASL_INIT;
}

static enum sasl_step ask(struct sasl *s, int state, struct str question)
{
	s->state = state;
	buf_clear(&s->challenge);
	base64_encode(&s->challenge, question);
	return SASL_CONTINUE;
}

/* NUL ends what programs of the checkpassword interface read. */
static bool usable(const struct buf *b)
{
	return buf_ok(b) && str_chr(buf_str(b), 0) == b->n;
}

/* authzid NUL authcid NUL password; acting for somebody else is not offered. */
static bool split_plain(struct sasl *s, struct str text)
{
	struct str other, user;

	if (!str_cut(text, 0, &other, &text) || !str_cut(text, 0, &user, &text) || user.n == 0)
		return false;
	buf_add(&s->user, user);
	buf_add(&s->password, text);
	return usable(&s->user) && usable(&s->password) && (other.n == 0 || str_eq(other, user));
}

static enum sasl_step take_plain(struct sasl *s, struct str line)
{
	struct buf text = BUF_INIT(3 * SASL_TEXT_MAX);
	bool ok = base64_decode(&text, line) && split_plain(s, buf_str(&text));

	buf_free_secret(&text);
	return ok ? SASL_DONE : SASL_MALFORMED;
}

static enum sasl_step take_user(struct sasl *s, struct str line)
{
	if (!base64_decode(&s->user, line) || !usable(&s->user) || s->user.n == 0)
		return SASL_MALFORMED;
	return ask(s, STATE_LOGIN_PASSWORD, STR("Password:"));
}

enum sasl_step sasl_answer(struct sasl *s, struct str line)
{
	if (str_eq(line, STR("*")))
		return SASL_CANCELLED;
	switch (s->state) {
	case STATE_PLAIN:
		return take_plain(s, line);
	case STATE_LOGIN_USER:
		return take_user(s, line);
	case STATE_LOGIN_PASSWORD:
		return base64_decode(&s->password, line) && usable(&s->password) ? SASL_DONE : SASL_MALFORMED;
	default:
		return SASL_MALFORMED;
	}
}

enum sasl_step sasl_start(struct sasl *s, struct str mechanism, struct str initial)
{
	bool plain = str_ieq(mechanism, STR("PLAIN"));

	sasl_free(s);
	if (!plain && !str_ieq(mechanism, STR("LOGIN")))
		return SASL_UNKNOWN;
	if (plain)
		ask(s, STATE_PLAIN, STR(""));
	else
		ask(s, STATE_LOGIN_USER, STR("Username:"));
	if (initial.n == 0)
		return SASL_CONTINUE;
	return sasl_answer(s, str_eq(initial, STR("=")) ? STR("") : initial);
}
