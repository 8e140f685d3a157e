#include "notice/diagnosis.h"

#include <stdio.h>

#define REMOTE_SAID STR("Remote host said: ")
#define TOO_OLD STR("this message has been in the queue too long.\n")

/* Up to three digits at the front of *s, without leading zero; moves behind them. */
static bool take_number(struct str *s)
{
	size_t n = 0;

	while (n < s->n && n < 3 && chr_digit(s->p[n]))
		n++;
	if (n == 0 || (n > 1 && *s->p == '0') || (n < s->n && chr_digit(s->p[n])))
		return false;
	*s = str_from(*s, n);
	return true;
}

/* The status code at the front of s, or the empty view. */
static struct str status_at(struct str s)
{
	struct str rest = str_from(s, 1);

	if (s.n == 0 || (*s.p != '2' && *s.p != '4' && *s.p != '5'))
		return STR("");
	for (int i = 0; i < 2; i++) {
		if (rest.n == 0 || *rest.p != '.')
			return STR("");
		rest = str_from(rest, 1);
		if (!take_number(&rest))
			return STR("");
	}
	return str_head(s, s.n - rest.n);
}

/* "(#5.1.1)" in a text. */
static struct str status_in_words(struct str text)
{
	for (size_t at; (at = str_find(text, STR("(#"))) < text.n; text = str_from(text, at + 2)) {
		struct str status = status_at(str_from(text, at + 2));

		if (status.n && at + 2 + status.n < text.n && text.p[at + 2 + status.n] == ')')
			return status;
	}
	return STR("");
}

/* "550 5.1.1 …" or "550-5.1.1 …" in a line of a reply. */
static struct str status_in_reply(struct str reply)
{
	struct str line, status = STR("");

	while (status.n == 0 && str_next_line(&reply, &line))
		if (line.n > 4 && (line.p[3] == ' ' || line.p[3] == '-'))
			status = status_at(str_from(line, 4));
	return status;
}

/* Of the report, what the server said: up to a line of ours behind it. */
static struct str reply_in(struct str report)
{
	size_t at = str_find(report, REMOTE_SAID);
	struct str text = str_from(report, at + REMOTE_SAID.n), rest = text, line;

	if (at == report.n || (at > 0 && report.p[at - 1] != '\n'))
		return STR("");
	while (str_next_line(&rest, &line)) {
		bool reply_line = line.n >= 3 && chr_digit(line.p[0]) && chr_digit(line.p[1]) && chr_digit(line.p[2]) &&
				  (line.n == 3 || line.p[3] == ' ' || line.p[3] == '-');

		if (!reply_line)
			return str_head(text, (size_t)(line.p - text.p));
	}
	return text;
}

static bool is_address(struct str word)
{
	bool separator = false;

	for (size_t i = 0; i < word.n; i++) {
		char c = chr_lower(word.p[i]);

		if (!chr_digit(c) && !(c >= 'a' && c <= 'f') && c != '.' && c != ':')
			return false;
		separator |= c == '.' || c == ':';
	}
	return word.n >= 2 && word.n < 48 && separator && word.p[word.n - 1] != '.';
}

/* The address at the front of the report, or behind "Connected to ". */
static struct str server_in(struct str report)
{
	struct str word;

	if (str_starts(report, STR("Connected to ")))
		report = str_from(report, STR("Connected to ").n);
	word = str_head(report, str_chr(str_head(report, str_chr(report, '\n')), ' '));
	return is_address(word) ? word : STR("");
}

struct diagnosis diagnose(struct str report, char digit)
{
	struct diagnosis d = { .server = server_in(report) };
	struct str status;

	if (d.server.n)
		d.reply = reply_in(report);
	status = d.reply.n ? status_in_reply(d.reply) : status_in_words(report);
	if (status.n == 0)
		status = status_in_words(report);
	if (digit == '5' && str_ends(report, TOO_OLD))
		status = STR("4.4.7");
	else if (status.n == 0 || *status.p != digit)
		status = STR("");
	if (status.n)
		snprintf(d.status, sizeof d.status, "%.*s", STR_ARG(status));
	else
		snprintf(d.status, sizeof d.status, "%c.0.0", digit);
	return d;
}
