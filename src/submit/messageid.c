#include "submit/messageid.h"

static const char name[] = "message-id:";

/* One byte of the header. */
static void step(struct messageid *m, char c)
{
	switch (m->state) {
	case MESSAGEID_LINE:
		if (c == '\n' && m->matched == 0)
			m->state = MESSAGEID_DONE; /* the header ends */
		else if (chr_lower(c) != name[m->matched])
			m->state = c == '\n' ? MESSAGEID_LINE : MESSAGEID_SKIP;
		else if (++m->matched == sizeof name - 1)
			m->state = MESSAGEID_VALUE;
		if (m->state == MESSAGEID_SKIP || c == '\n')
			m->matched = 0;
		break;
	case MESSAGEID_SKIP:
		if (c == '\n')
			m->state = MESSAGEID_LINE;
		break;
	case MESSAGEID_VALUE:
		/* The id may stand on a continuation line; it ends at its bracket. */
		if (m->n == 0 && (c == ' ' || c == '\t' || c == '\n' || c == '\r'))
			break;
		if ((m->n == 0) != (c == '<') || c < 33 || c == 127 || m->n == MESSAGEID_MAX) {
			m->n = 0;
			m->state = MESSAGEID_DONE;
			break;
		}
		m->value[m->n++] = c;
		if (c == '>')
			m->state = MESSAGEID_DONE;
		break;
	case MESSAGEID_DONE:
		break;
	}
}

void messageid_feed(struct messageid *m, struct str data)
{
	data = str_head(data, MESSAGEID_SEARCHED - m->searched);
	for (size_t i = 0; i < data.n && m->state != MESSAGEID_DONE; i++)
		step(m, data.p[i]);
	m->searched += data.n;
}

struct str messageid_value(const struct messageid *m)
{
	if (m->state != MESSAGEID_DONE || m->n < 3)
		return STR("");
	return (struct str){ m->value, m->n };
}
