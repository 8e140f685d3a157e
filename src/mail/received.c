#include "mail/received.h"

#include "base/date.h"

void received_queue(struct buf *out, uint64_t pid, struct str how, int64_t time)
{
	buf_addz(out, "Received: (qmail ");
	buf_addu(out, pid);
	buf_addz(out, " invoked ");
	buf_add(out, how);
	buf_addz(out, "); ");
	date_add_822(out, time);
	buf_addc(out, '\n');
}

static bool safe(char c)
{
	char low = chr_lower(c);

	return (low >= 'a' && low <= 'z') || chr_digit(c) || (c != 0 && strchr(".@%+/=:-[]", c) != NULL);
}

static void add_safe(struct buf *out, struct str s)
{
	char *room = buf_room(out, s.n);

	if (room == NULL)
		return;
	for (size_t i = 0; i < s.n; i++)
		room[i] = safe(s.p[i]) ? s.p[i] : '?';
	buf_wrote(out, s.n);
}

void received_smtp(struct buf *out, const struct received_client *c, struct str protocol, int64_t time)
{
	buf_addz(out, "Received: from ");
	add_safe(out, c->host);
	if (c->has_helo && !str_ieq(c->helo, c->host)) {
		buf_addz(out, " (HELO ");
		add_safe(out, c->helo);
		buf_addc(out, ')');
	}
	buf_addz(out, " (");
	if (c->has_info) {
		add_safe(out, c->info);
		buf_addc(out, '@');
	}
	add_safe(out, c->ip);
	buf_addz(out, ")\n  by ");
	add_safe(out, c->local);
	buf_addz(out, " with ");
	buf_add(out, protocol);
	buf_addz(out, "; ");
	date_add_822(out, time);
	buf_addc(out, '\n');
}
