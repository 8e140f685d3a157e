#include "route/route.h"

static bool load_locals(struct control_map *locals, struct err *e)
{
	struct buf me = BUF_INIT(CONTROL_FILE_MAX);
	bool present, ok = control_set_load("locals", locals, e);

	if (!ok || locals->present)
		return ok;
	control_map_free(locals);
	ok = control_line("me", &me, &present, e);
	if (ok && !present)
		ok = err_perm(e, "control/locals and control/me are missing; write the host's full name to control/me");
	if (ok)
		control_set_single(locals, buf_str(&me));
	buf_free(&me);
	return ok;
}

bool route_load(struct route_tables *t, struct err *e)
{
	*t = (struct route_tables){ .envnoathost = BUF_INIT(CONTROL_FILE_MAX) };
	if (control_line_or_me("envnoathost", "envnoathost", &t->envnoathost, e) && load_locals(&t->locals, e) &&
	    control_map_load("virtualdomains", &t->virtualdomains, e) &&
	    control_set_load("percenthack", &t->percenthack, e))
		return true;
	route_free(t);
	return false;
}

bool route_reload(struct route_tables *t, struct err *e)
{
	struct control_map locals, virtualdomains;

	if (!load_locals(&locals, e))
		return err_context(e, "unable to reread control/locals");
	if (!control_map_load("virtualdomains", &virtualdomains, e)) {
		control_map_free(&locals);
		return err_context(e, "unable to reread control/virtualdomains");
	}
	control_map_free(&t->locals);
	control_map_free(&t->virtualdomains);
	t->locals = locals;
	t->virtualdomains = virtualdomains;
	return true;
}

void route_free(struct route_tables *t)
{
	buf_free(&t->envnoathost);
	control_map_free(&t->locals);
	control_map_free(&t->virtualdomains);
	control_map_free(&t->percenthack);
}

/* While the domain is in percenthack: u%h@d becomes u@h. */
static void apply_percenthack(const struct route_tables *t, struct buf *address)
{
	for (;;) {
		struct str s = buf_str(address), local = str_head(s, str_rchr(s, '@'));
		size_t percent = str_rchr(local, '%');

		if (percent == local.n || !control_map_find(&t->percenthack, str_from(s, local.n + 1), NULL))
			return;
		buf_truncate(address, local.n);
		address->p[percent] = '@';
	}
}

/* The virtualdomains entry for an address, in the order of the contract. */
static bool find_virtual(const struct route_tables *t, struct str address, struct str *prefix, bool *by_address)
{
	struct str domain = str_from(address, str_rchr(address, '@') + 1);

	*by_address = control_map_find(&t->virtualdomains, address, prefix);
	return *by_address || control_map_find_domain(&t->virtualdomains, domain, prefix) ||
	       control_map_find(&t->virtualdomains, STR(""), prefix);
}

void route_base_address(const struct route_tables *t, struct str address, struct buf *out)
{
	buf_clear(out);
	buf_add(out, address);
	if (str_rchr(address, '@') == address.n) {
		buf_addc(out, '@');
		buf_add(out, buf_str(&t->envnoathost));
	}
	apply_percenthack(t, out);
}

struct route route_address(const struct route_tables *t, struct str address, struct buf *out)
{
	struct route r = { ROUTE_REMOTE, STR(""), false };
	struct buf prefixed = BUF_INIT(SIZE_MAX);
	struct str s, domain;

	route_base_address(t, address, out);
	s = buf_str(out);
	domain = str_from(s, str_rchr(s, '@') + 1);
	if (control_map_find(&t->locals, domain, NULL)) {
		r.channel = ROUTE_LOCAL;
	} else if (find_virtual(t, s, &r.prefix, &r.by_address) && r.prefix.n) {
		r.channel = ROUTE_LOCAL;
		buf_add(&prefixed, r.prefix);
		buf_addc(&prefixed, '-');
		buf_add(&prefixed, s);
		buf_clear(out);
		buf_add(out, buf_str(&prefixed));
		buf_free(&prefixed);
	}
	return r;
}

static struct str without_verp_mark(struct str sender, bool *marked)
{
	*marked = str_ends(sender, STR("-@[]"));
	return *marked ? str_head(sender, sender.n - 4) : sender;
}

void route_verp_sender(struct str sender, struct str recipient, struct buf *out)
{
	bool marked;
	struct str base = without_verp_mark(sender, &marked);
	size_t at = str_rchr(base, '@'), rat = str_rchr(recipient, '@');

	buf_clear(out);
	if (!marked || at == base.n || rat == recipient.n) {
		buf_add(out, sender);
		return;
	}
	buf_add(out, str_head(base, at));
	buf_add(out, str_head(recipient, rat));
	buf_addc(out, '=');
	buf_add(out, str_from(recipient, rat + 1));
	buf_add(out, str_from(base, at));
}

struct str route_bounce_address(struct str sender)
{
	bool marked;

	return without_verp_mark(sender, &marked);
}
