#include "users/getpw.h"

#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"

#define BREAK '-'
#define NAME_MAX_LEN 31
#define SPACE_MAX (1u << 20)

static const struct getpw_system libc = { getpwnam_r, stat };

struct account {
	struct passwd pw;
	char *space; /* of pw's strings; owned */
};

/* "No such entry" has more than one spelling, see getpwnam(3); everything else is trouble. */
static bool means_absent(int errnum)
{
	return errnum == 0 || errnum == ENOENT || errnum == ESRCH;
}

static enum owner_status find_account(const struct getpw_rules *rules, const char *name, struct account *a)
{
	struct passwd *result = NULL;
	size_t n = 1024;
	int r;

	do {
		a->space = mem_realloc(a->space, n);
		r = rules->system->passwd(name, &a->pw, a->space, n, &result);
		n *= 4;
	} while ((r == ERANGE && n <= SPACE_MAX) || r == EINTR);
	if (result)
		return OWNER_FOUND;
	return means_absent(r) ? OWNER_NONE : OWNER_TEMPORARY;
}

/* Does mail for this account go to it? */
static enum owner_status acceptable(const struct getpw_rules *rules, const struct passwd *pw)
{
	struct stat st;

	if (pw->pw_uid == 0 || (rules->own_only && pw->pw_uid != rules->own_uid))
		return OWNER_NONE;
	if (rules->system->stat(pw->pw_dir, &st) == -1)
		return errno_temporary(errno) ? OWNER_HOME : OWNER_NONE;
	return st.st_uid == pw->pw_uid ? OWNER_FOUND : OWNER_NONE;
}

/* Tries the first n bytes of local as an account. */
static enum owner_status try(const struct getpw_rules *rules, struct str local, size_t n, struct account *a)
{
	char name[NAME_MAX_LEN + 1];
	enum owner_status status;

	if (n == 0 || n > NAME_MAX_LEN)
		return OWNER_NONE;
	for (size_t i = 0; i < n; i++)
		name[i] = chr_lower(local.p[i]);
	name[n] = 0;
	status = find_account(rules, name, a);
	return status == OWNER_FOUND ? acceptable(rules, &a->pw) : status;
}

static enum owner_status give(const struct passwd *pw, struct str dash, struct str ext, struct owner *o)
{
	return owner_set(o, str_of(pw->pw_name), pw->pw_uid, pw->pw_gid, str_of(pw->pw_dir), dash, ext);
}

static enum owner_status give_alias(const struct getpw_rules *rules, struct str local, struct account *a,
				    struct owner *o)
{
	enum owner_status status;

	if (rules->own_only)
		return owner_set(o, STR("alias"), rules->own_uid, rules->own_gid, str_of(rules->own_alias), STR("-"),
				 local);
	status = find_account(rules, "alias", a);
	if (status == OWNER_NONE)
		return OWNER_NO_ALIAS;
	return status == OWNER_FOUND ? give(&a->pw, STR("-"), local, o) : status;
}

static enum owner_status search(const struct getpw_rules *rules, struct str local, struct account *a, struct owner *o)
{
	enum owner_status status = try(rules, local, local.n, a);

	if (status == OWNER_FOUND)
		return give(&a->pw, STR(""), STR(""), o);
	for (size_t i = local.n; status == OWNER_NONE && i > 0; i--) {
		if (local.p[i - 1] != BREAK)
			continue;
		status = try(rules, local, i - 1, a);
		if (status == OWNER_FOUND)
			return give(&a->pw, STR("-"), str_from(local, i), o);
	}
	return status == OWNER_NONE ? give_alias(rules, local, a, o) : status;
}

enum owner_status getpw_find(const struct getpw_rules *rules, struct str local, struct owner *o)
{
	struct getpw_rules r = *rules;
	struct account a = { .space = NULL };
	enum owner_status status;

	if (r.system == NULL)
		r.system = &libc;
	status = search(&r, local, &a, o);
	free(a.space);
	return status;
}
