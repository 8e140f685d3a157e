#include "smtpserver/smtparg.h"

#include "mail/dsn.h"

/*
 * Where the address begins, and the byte that ends it. A '<' that belongs to a parameter (AUTH=<>) does not count.
 * False: there is no address in a non-empty argument.
 */
static bool find_start(struct str arg, struct str *rest, char *end)
{
	size_t open = str_chr(arg, '<'), colon = str_chr(arg, ':');

	if (open < arg.n && (open == 0 || arg.p[open - 1] != '=')) {
		*end = '>';
		*rest = str_from(arg, open + 1);
	} else {
		*end = ' ';
		*rest = str_from(arg, colon + 1);
		if (colon == arg.n && arg.n)
			return false;
	}
	while (rest->n && *rest->p == ' ')
		*rest = str_from(*rest, 1);
	return true;
}

/* Drops "@a,@b:"; false when it does not end. */
static bool skip_route(struct str *rest)
{
	size_t colon;

	if (rest->n == 0 || *rest->p != '@')
		return true;
	colon = str_chr(*rest, ':');
	if (colon >= str_chr(*rest, '>'))
		return false;
	*rest = str_from(*rest, colon + 1);
	return true;
}

static void add_byte(struct smtparg *a, char c, bool plain)
{
	if (plain && c == '@') {
		a->many_at |= a->at != SIZE_MAX;
		a->at = a->address.n;
	}
	buf_addc(&a->address, c);
}

/*
 * Unquotes up to the end byte. Spaces outside quotes may stand only before the closing bracket. *rest is left
 * behind the end byte.
 */
static bool read_address(struct str *rest, char end, struct smtparg *a)
{
	bool quoted = false, gap = false;
	size_t i = 0;

	for (; i < rest->n && (quoted || rest->p[i] != end); i++) {
		bool escaped = rest->p[i] == '\\';

		if (escaped && ++i == rest->n)
			return false;
		if (!quoted && !escaped && rest->p[i] == ' ') {
			gap = true;
			continue;
		}
		if (gap)
			return false;
		if (!escaped && rest->p[i] == '"')
			quoted = !quoted;
		else
			add_byte(a, rest->p[i], !quoted && !escaped);
	}
	*rest = str_from(*rest, i + 1);
	return !quoted;
}

static bool address_ok(struct smtparg *a)
{
	struct str s = buf_str(&a->address);
	size_t last = str_rchr(s, '@');

	/* Everybody behind us splits at the last @, so a quoted one must not be the last. */
	if (last < s.n && a->at != last)
		return false;
	a->at = last;
	if (!buf_ok(&a->address) || str_has_control(s))
		return false;
	return last == s.n || (last > 0 && last + 1 < s.n);
}

static enum smtparg_result set_size(struct smtparg *a, struct str value)
{
	if (a->size_given || value.n == 0 || value.n > 20)
		return SMTPARG_BAD_VALUE;
	for (size_t i = 0; i < value.n; i++)
		if (!chr_digit(value.p[i]))
			return SMTPARG_BAD_VALUE;
	a->size_given = true;
	if (!str_to_u64(value, &a->size))
		a->size = UINT64_MAX;
	return SMTPARG_OK;
}

static enum smtparg_result set_body(struct smtparg *a, struct str value)
{
	a->body_8bit = str_ieq(value, STR("8BITMIME"));
	if (a->body_given || (!a->body_8bit && !str_ieq(value, STR("7BIT"))))
		return SMTPARG_BAD_VALUE;
	a->body_given = true;
	return SMTPARG_OK;
}

static enum smtparg_result set_ret(struct smtparg *a, struct str value)
{
	return a->ret == DSN_RET_ANY && dsn_parse_ret(value, &a->ret) ? SMTPARG_OK : SMTPARG_BAD_VALUE;
}

static enum smtparg_result set_envid(struct smtparg *a, struct str value)
{
	if (a->envid.n || !dsn_envid_ok(value))
		return SMTPARG_BAD_VALUE;
	a->envid = value;
	return SMTPARG_OK;
}

static enum smtparg_result set_notify(struct smtparg *a, struct str value)
{
	return a->notify == 0 && dsn_parse_notify(value, &a->notify) ? SMTPARG_OK : SMTPARG_BAD_VALUE;
}

static enum smtparg_result set_orcpt(struct smtparg *a, struct str value)
{
	if (a->orcpt.n || !dsn_orcpt_ok(value))
		return SMTPARG_BAD_VALUE;
	a->orcpt = value;
	return SMTPARG_OK;
}

static const struct parameter {
	struct str name;
	enum smtparg_set only; /* SMTPARG_PLAIN: in all sets */
	enum smtparg_result (*set)(struct smtparg *a, struct str value);
} parameters[] = {
	{ { "SIZE", 4 }, SMTPARG_PLAIN, set_size },    { { "BODY", 4 }, SMTPARG_PLAIN, set_body },
	{ { "RET", 3 }, SMTPARG_MAIL, set_ret },       { { "ENVID", 5 }, SMTPARG_MAIL, set_envid },
	{ { "NOTIFY", 6 }, SMTPARG_RCPT, set_notify }, { { "ORCPT", 5 }, SMTPARG_RCPT, set_orcpt },
};

static enum smtparg_result set_parameter(struct smtparg *a, enum smtparg_set set, struct str word)
{
	struct str name, value;

	str_cut(word, '=', &name, &value);
	for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
		if ((parameters[i].only == SMTPARG_PLAIN || parameters[i].only == set) &&
		    str_ieq(name, parameters[i].name))
			return parameters[i].set(a, value);
	return SMTPARG_SYNTAX;
}

static enum smtparg_result read_parameters(struct smtparg *a, enum smtparg_set set, struct str rest)
{
	struct str word;
	enum smtparg_result r = SMTPARG_OK;

	while (r == SMTPARG_OK && rest.n) {
		str_cut(rest, ' ', &word, &rest);
		if (word.n)
			r = set_parameter(a, set, word);
	}
	return r;
}

enum smtparg_result smtparg_parse(struct str arg, enum smtparg_set set, struct smtparg *a)
{
	struct buf memory = a->address;
	struct str rest;
	char end;

	*a = (struct smtparg){ .address = memory, .at = SIZE_MAX };
	buf_clear(&a->address);
	if (!find_start(arg, &rest, &end) || !skip_route(&rest))
		return SMTPARG_SYNTAX;
	if (!read_address(&rest, end, a) || !address_ok(a))
		return SMTPARG_SYNTAX;
	return read_parameters(a, set, rest);
}
