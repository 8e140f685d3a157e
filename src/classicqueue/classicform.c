#include "classicqueue/classicform.h"

/* Takes the next record (a letter, bytes, NUL) off *rest. */
static bool take(struct str *rest, char *letter, struct str *value)
{
	size_t end = str_chr(*rest, 0);

	if (end == rest->n || end == 0)
		return false;
	*letter = rest->p[0];
	*value = str_from(str_head(*rest, end), 1);
	*rest = str_from(*rest, end + 1);
	return true;
}

bool classic_info(struct str file, struct str *sender)
{
	char letter;

	return take(&file, &letter, sender) && letter == 'F' && file.n == 0;
}

bool classic_channel(struct str file, classic_address *each, void *ctx)
{
	while (file.n) {
		struct str address;
		char letter;

		if (!take(&file, &letter, &address) || (letter != 'T' && letter != 'D'))
			return false;
		each(ctx, address, letter == 'D');
	}
	return true;
}

static bool number(struct str s, uint32_t *n)
{
	uint64_t v;

	if (!str_to_u64(s, &v) || v > UINT32_MAX)
		return false;
	*n = (uint32_t)v;
	return true;
}

bool classic_todo(struct str file, struct classic_todo *t, classic_address *each, void *ctx)
{
	bool has_sender = false;

	*t = (struct classic_todo){ 0 };
	while (file.n) {
		struct str value;
		char letter;

		if (!take(&file, &letter, &value))
			return false;
		if (letter == 'T')
			each(ctx, value, false);
		else if (letter == 'F' && !has_sender)
			has_sender = true, t->sender = value;
		else if (!(letter == 'u' && number(value, &t->uid)) && !(letter == 'p' && number(value, &t->pid)))
			return false;
	}
	return has_sender;
}

/* "<address>:" */
static bool is_first_line(struct str line, struct str *address)
{
	if (line.n < 3 || line.p[0] != '<' || !str_ends(line, STR(">:")))
		return false;
	*address = str_from(str_head(line, line.n - 2), 1);
	return true;
}

void classic_bounce(struct str file, void (*each)(void *ctx, struct str address, struct str text), void *ctx)
{
	while (file.n) {
		struct str line, address = STR(""), text;
		struct str whole = file;

		if (str_starts(file, STR("\n"))) {
			file = str_from(file, 1);
			continue;
		}
		str_next_line(&file, &line);
		text = is_first_line(line, &address) ? file : whole;
		/* An empty line ends it; a report itself has none. */
		while (str_next_line(&file, &line) && line.n)
			;
		each(ctx, address, str_head(text, text.n - file.n - (line.n == 0 && text.n > file.n)));
	}
}

void classic_put_info(struct buf *b, struct str sender)
{
	buf_addc(b, 'F');
	buf_add(b, sender);
	buf_addc(b, 0);
}

void classic_put_recipient(struct buf *b, struct str address, bool done)
{
	buf_addc(b, done ? 'D' : 'T');
	buf_add(b, address);
	buf_addc(b, 0);
}

void classic_put_bounce(struct buf *b, struct str address, struct str text)
{
	bool after_lf = false;

	buf_addc(b, '<');
	for (size_t i = 0; i < address.n; i++)
		buf_addc(b, address.p[i] == '\n' ? '_' : address.p[i]);
	buf_addz(b, ">:\n");
	/* No empty lines inside: every second of two LFs becomes '/'. */
	for (size_t i = 0; i < text.n; i++) {
		after_lf = text.p[i] == '\n' && !after_lf;
		buf_addc(b, text.p[i] == '\n' && !after_lf ? '/' : text.p[i]);
	}
	buf_addz(b, text.n && !after_lf ? "\n\n" : "\n");
}
