#include "local/mailvars.h"

#include <stdlib.h>

#include "base/date.h"
#include "base/mem.h"
#include "mail/quote.h"

#define VALUE_MAX (1u << 20)
#define VARIABLES 18

/* Appends s with every byte of `bad` replaced. */
static void add_replacing(struct buf *b, struct str s, struct str bad, char by)
{
	for (size_t i = 0; i < s.n; i++)
		buf_addc(b, str_chr(bad, s.p[i]) < bad.n ? by : s.p[i]);
}

void mailvars_ufline(struct buf *b, struct str sender, int64_t now)
{
	buf_addz(b, "From ");
	if (sender.n)
		add_replacing(b, sender, STR(" \t\n\r"), '-');
	else
		buf_addz(b, "MAILER-DAEMON");
	buf_addc(b, ' ');
	date_add_mbox(b, now);
	buf_addc(b, '\n');
}

void mailvars_rpline(struct buf *b, struct str sender)
{
	struct buf quoted = BUF_INIT(2 * sender.n + 2);

	quote_address(&quoted, sender);
	buf_addz(b, "Return-Path: <");
	add_replacing(b, buf_str(&quoted), STR("\n"), '_');
	buf_addz(b, ">\n");
	buf_free(&quoted);
}

void mailvars_dtline(struct buf *b, struct str local, struct str host)
{
	buf_addz(b, "Delivered-To: ");
	add_replacing(b, local, STR("\n"), '_');
	buf_addc(b, '@');
	add_replacing(b, host, STR("\n"), '_');
	buf_addc(b, '\n');
}

/* What follows the n-th '-' of ext; empty when there are fewer. */
static struct str ext_after(struct str ext, int n)
{
	struct str before;

	while (n-- > 0)
		str_cut(ext, '-', &before, &ext);
	return ext;
}

/* What precedes the n-th '.' of host, counted from the end. */
static struct str host_before(struct str host, int n)
{
	while (n-- > 0)
		host = str_head(host, str_rchr(host, '.'));
	return host;
}

struct list {
	char **p;
	size_t n;
};

static void set(struct list *l, const char *name, struct str value)
{
	struct buf b = BUF_INIT(VALUE_MAX);

	buf_addz(&b, name);
	buf_addc(&b, '=');
	buf_add(&b, value);
	l->p[l->n++] = mem_copy(buf_str(&b));
	buf_free(&b);
}

static void set_lines(struct list *l, const struct mailvars *v)
{
	struct buf b = BUF_INIT(VALUE_MAX);

	mailvars_dtline(&b, str_of(v->local), str_of(v->host));
	set(l, "DTLINE", buf_str(&b));
	buf_clear(&b);
	mailvars_rpline(&b, str_of(v->sender));
	set(l, "RPLINE", buf_str(&b));
	buf_clear(&b);
	mailvars_ufline(&b, str_of(v->sender), v->now);
	set(l, "UFLINE", buf_str(&b));
	buf_clear(&b);
	buf_addz(&b, v->local);
	buf_addc(&b, '@');
	buf_addz(&b, v->host);
	set(l, "RECIPIENT", buf_str(&b));
	buf_free(&b);
}

static void set_all(struct list *l, const struct mailvars *v)
{
	struct str ext = str_of(v->ext), host = str_of(v->host);

	set_lines(l, v);
	set(l, "SENDER", str_of(v->sender));
	set(l, "NEWSENDER", str_of(v->newsender));
	set(l, "LOCAL", str_of(v->local));
	set(l, "HOST", host);
	set(l, "USER", str_of(v->user));
	set(l, "HOME", str_of(v->home));
	set(l, "EXT", ext);
	set(l, "EXT2", ext_after(ext, 1));
	set(l, "EXT3", ext_after(ext, 2));
	set(l, "EXT4", ext_after(ext, 3));
	set(l, "HOST2", host_before(host, 1));
	set(l, "HOST3", host_before(host, 2));
	set(l, "HOST4", host_before(host, 3));
	if (v->default_set)
		set(l, "DEFAULT", v->default_part);
}

/* Is the variable of this "NAME=value" among the first n of the list? */
static bool is_set(const struct list *l, size_t n, struct str variable)
{
	size_t name = str_chr(variable, '=') + 1;

	for (size_t i = 0; i < n; i++)
		if (str_starts(str_of(l->p[i]), str_head(variable, name)))
			return true;
	return false;
}

char **mailvars_environment(const struct mailvars *v, char *const *inherited)
{
	size_t count = 0, own;
	struct list l = { NULL, 0 };

	while (inherited[count])
		count++;
	l.p = mem_array(NULL, count + VARIABLES + 1, sizeof *l.p);
	set_all(&l, v);
	own = l.n;
	for (size_t i = 0; i < count; i++)
		if (!is_set(&l, own, str_of(inherited[i])))
			l.p[l.n++] = mem_copy(str_of(inherited[i]));
	l.p[l.n] = NULL;
	return l.p;
}

void mailvars_free(char **environment)
{
	if (environment == NULL)
		return;
	for (size_t i = 0; environment[i]; i++)
		free(environment[i]);
	free(environment);
}
