#include "inject/identity.h"

#include "mail/quote.h"

/* The first variable of the NULL-terminated list that is set. */
static const char *first_set(char *(*variable)(const char *), const char *const *names)
{
	const char *value = NULL;

	while (*names && value == NULL)
		value = variable(*names++);
	return value;
}

struct identity identity_find(char *(*variable)(const char *))
{
	static const char *const users[] = { "QMAILUSER", "MAILUSER", "USER", "LOGNAME", NULL };
	static const char *const hosts[] = { "QMAILHOST", "MAILHOST", NULL };
	static const char *const names[] = { "QMAILNAME", "MAILNAME", "NAME", NULL };
	struct identity who = {
		.user = first_set(variable, users),
		.host = first_set(variable, hosts),
		.name = first_set(variable, names),
		.sender_user = variable("QMAILSUSER"),
		.sender_host = variable("QMAILSHOST"),
	};

	if (who.user == NULL)
		who.user = "anonymous";
	/* qmail makes ""@host of it, and has no other way to ask for no sender than -f. */
	who.sender_null = who.sender_user && *who.sender_user == 0;
	if (who.sender_user == NULL)
		who.sender_user = who.user;
	if (who.sender_host == NULL)
		who.sender_host = who.host;
	return who;
}

static void add_escaped(struct buf *out, struct str text, const char *special)
{
	for (size_t i = 0; i < text.n; i++) {
		if (strchr(special, text.p[i]))
			buf_addc(out, '\\');
		buf_addc(out, text.p[i]);
	}
}

static void add_address(const struct identity *who, struct buf *out)
{
	quote_local(out, str_of(who->user));
	if (who->host) {
		buf_addc(out, '@');
		buf_addz(out, who->host);
	}
}

void identity_from(const struct identity *who, bool as_comment, struct buf *out)
{
	struct str name = str_of(who->name);

	if (name.n == 0) {
		add_address(who, out);
	} else if (as_comment) {
		add_address(who, out);
		buf_addz(out, " (");
		add_escaped(out, name, "()\\");
		buf_addc(out, ')');
	} else {
		buf_addc(out, '"');
		add_escaped(out, name, "\"\\");
		buf_addz(out, "\" <");
		add_address(who, out);
		buf_addc(out, '>');
	}
}

void identity_sender(const struct identity *who, struct str suffix, struct buf *out)
{
	struct buf local = BUF_INIT(SIZE_MAX);

	if (who->sender_null) {
		buf_addz(out, "<>");
		return;
	}
	buf_addz(&local, who->sender_user);
	buf_add(&local, suffix);
	quote_local(out, buf_str(&local));
	buf_free(&local);
	if (who->sender_host) {
		buf_addc(out, '@');
		buf_addz(out, who->sender_host);
	}
}
