#include "aliases/forwardfile.h"

#include "aliases/aliasline.h"

struct owner {
	struct str user, host;
};

static bool is_owner(const struct alias_item *item, const struct owner *owner)
{
	size_t at = str_rchr(item->plain, '@');

	if (!item->has_host)
		return str_ieq(item->plain, owner->user);
	return str_ieq(str_head(item->plain, at), owner->user) && str_ieq(str_from(item->plain, at + 1), owner->host);
}

struct adding {
	struct owner owner;
	struct forwardfile *f;
};

static bool add_item(void *ctx, const struct alias_item *item, struct err *e)
{
	const struct adding *adding = ctx;
	struct forwardfile *f = adding->f;

	switch (item->kind) {
	case ALIAS_PROGRAM:
		if (item->plain.n == 0)
			return err_temp(e, "a program is missing behind '|'");
		addresses_add(&f->programs, item->plain);
		return true;
	case ALIAS_FILE:
		return err_temp(e, "file delivery %.*s not supported", STR_ARG(str_head(item->plain, 200)));
	case ALIAS_ADDRESS:
	case ALIAS_INCLUDE:
		break;
	}
	if (is_owner(item, &adding->owner))
		f->direct = true;
	else
		addresses_add(&f->addresses, item->full);
	return true;
}

bool forwardfile_parse(struct str text, const struct rewrite_rules *rules, struct str user, struct str host,
		       struct forwardfile *f, struct err *e)
{
	struct adding adding = { { user, host }, f };

	return aliasline_each(text, rules, false, add_item, &adding, e);
}

bool forwardfile_empty(const struct forwardfile *f)
{
	return !f->direct && f->programs.n == 0 && f->addresses.n == 0;
}

void forwardfile_free(struct forwardfile *f)
{
	addresses_free(&f->programs);
	addresses_free(&f->addresses);
	f->direct = false;
}
