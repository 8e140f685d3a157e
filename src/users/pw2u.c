#include "users/pw2u.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

#define FIELDS 6 /* name, password, uid, gid, words, home; the shell is behind them */
#define ALIAS STR("alias")

struct account {
	struct str name, uid, gid, home;
};

struct conversion {
	const struct pw2u_rules *rules;
	struct buf *out;
	struct account *accounts; /* those that were accepted; owned */
	size_t n, cap;
	bool has_alias;
};

static bool next_entry(struct str *rest, struct str *line)
{
	while (str_next_line(rest, line)) {
		*line = str_trim_end(*line);
		if (line->n && *line->p != '#')
			return true;
	}
	return false;
}

/* Is there a line `name`, or `name:…` (what follows is *value)? */
static bool listed(const struct pw2u_file *file, struct str name, struct str *value)
{
	struct str rest = file->text, line, key, behind;

	while (next_entry(&rest, &line)) {
		str_cut(line, ':', &key, &behind);
		if (str_eq(key, name)) {
			*value = behind;
			return true;
		}
	}
	return false;
}

/* False: it is no account that could get mail. */
static bool parse(struct str line, struct account *a)
{
	struct str field[FIELDS];
	uint64_t uid, gid;

	if (str_chr(line, 0) < line.n)
		return false;
	for (size_t i = 0; i < FIELDS; i++)
		if (!str_cut(line, ':', &field[i], &line))
			return false;
	*a = (struct account){ field[0], field[2], field[3], field[5] };
	return a->name.n && str_to_u64(a->uid, &uid) && uid != 0 && str_to_u64(a->gid, &gid);
}

static bool has_capital(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != chr_lower(s.p[i]))
			return true;
	return false;
}

static bool home_counts(const struct conversion *c, const struct account *a, bool *counts, struct err *e)
{
	char *home = mem_copy(a->home);
	struct stat st;
	uint64_t uid;
	bool ok = true;

	*counts = true;
	if (c->rules->homes != PW2U_ANY) {
		if (c->rules->stat(home, &st) == 0)
			*counts = str_to_u64(a->uid, &uid) && st.st_uid == uid;
		else if (errno == ENOENT && c->rules->homes == PW2U_OWNED)
			*counts = false;
		else
			ok = err_temp(e, "unable to stat %s: %s", home, errno_text(errno));
	}
	free(home);
	return ok;
}

static bool chosen(const struct pw2u_rules *rules, const struct account *a)
{
	struct str ignored;

	if (rules->include.present && !listed(&rules->include, a->name, &ignored))
		return false;
	return !listed(&rules->exclude, a->name, &ignored) && (rules->uppercase || !has_capital(a->name));
}

/* One line: `front` ("=", "+"), the name, `behind`, whose it is, and ":DASH:EXT:" or ":::". */
static void assign(struct conversion *c, char front, struct str name, struct str behind, const struct account *a,
		   bool dash, struct str ext)
{
	struct buf *out = c->out;

	buf_addc(out, front);
	buf_add(out, name);
	buf_add(out, behind);
	for (size_t i = 0; i < 4; i++) {
		buf_addc(out, ':');
		buf_add(out, (const struct str[]){ a->name, a->uid, a->gid, a->home }[i]);
	}
	buf_addc(out, ':');
	if (dash)
		buf_addz(out, c->rules->slash ? "-/" : "-");
	buf_addc(out, ':');
	buf_add(out, ext);
	buf_addz(out, ":\n");
}

static void assign_name(struct conversion *c, struct str name, const struct account *a)
{
	assign(c, '=', name, STR(""), a, false, STR(""));
	if (!c->rules->no_extension)
		assign(c, '+', name, (struct str){ &c->rules->break_char, 1 }, a, true, STR(""));
}

static void accept(struct conversion *c, const struct account *a)
{
	struct str names = a->name, name;

	if (str_eq(a->name, ALIAS)) {
		c->has_alias = true;
		assign(c, '+', STR(""), STR(""), a, true, STR(""));
	}
	listed(&c->rules->mailnames, a->name, &names);
	while (names.n) {
		str_cut(names, ':', &name, &names);
		if (name.n)
			assign_name(c, name, a);
	}
	if (c->n == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 64;
		c->accounts = mem_array(c->accounts, c->cap, sizeof *c->accounts);
	}
	c->accounts[c->n++] = *a;
}

static bool convert_accounts(struct conversion *c, struct str passwd, struct err *e)
{
	struct str line;

	while (str_next_line(&passwd, &line)) {
		struct account a;
		bool counts;

		if (!parse(line, &a) || !chosen(c->rules, &a))
			continue;
		if (!home_counts(c, &a, &counts, e))
			return false;
		if (counts)
			accept(c, &a);
	}
	return c->has_alias || err_temp(e, "unable to find alias user");
}

static const struct account *find_account(const struct conversion *c, struct str name)
{
	for (size_t i = 0; i < c->n; i++)
		if (str_eq(c->accounts[i].name, name))
			return &c->accounts[i];
	return NULL;
}

/* "sub:user:pre:": the address sub belongs to user, with .qmail-pre. */
/* A line with fewer than three colons is none. */
static bool assign_subuser(struct conversion *c, struct str line, struct err *e)
{
	struct str sub, user, pre, rest;
	const struct account *a;
	struct buf ext = BUF_INIT(line.n + 1);

	if (!str_cut(line, ':', &sub, &rest) || !str_cut(rest, ':', &user, &rest) || !str_cut(rest, ':', &pre, &rest))
		return true;
	a = find_account(c, user);
	if (a == NULL)
		return err_temp(e, "unable to find %.*s user for subuser", STR_ARG(str_head(user, 100)));
	assign(c, '=', sub, STR(""), a, true, pre);
	buf_add(&ext, pre);
	buf_addc(&ext, '-');
	if (!c->rules->no_extension)
		assign(c, '+', sub, (struct str){ &c->rules->break_char, 1 }, a, true, buf_str(&ext));
	buf_free(&ext);
	return true;
}

static bool convert_subusers(struct conversion *c, struct err *e)
{
	struct str rest = c->rules->subusers.text, line;

	while (str_next_line(&rest, &line))
		if (!assign_subuser(c, line, e))
			return false;
	return true;
}

bool pw2u_convert(struct str passwd, const struct pw2u_rules *rules, struct buf *out, struct err *e)
{
	struct conversion c = { .rules = rules, .out = out };
	struct str append = rules->append.text;
	bool ok = convert_accounts(&c, passwd, e) && convert_subusers(&c, e);

	buf_add(out, append);
	if (append.n && append.p[append.n - 1] != '\n')
		buf_addc(out, '\n');
	buf_addz(out, ".\n");
	free(c.accounts);
	return ok && (buf_ok(out) || err_temp(e, "out of memory"));
}
