#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "users/getpw.h"

/* Accounts: name, uid, home, owner of the home (-1: no home, -2: it cannot be examined now). */
static const struct {
	const char *name;
	uid_t uid;
	const char *home;
	long owner;
} accounts[] = {
	{ "root", 0, "/root", 0 },       { "joe", 10, "/h/joe", 10 },       { "joe-x", 11, "/h/joe-x", 11 },
	{ "stray", 12, "/h/stray", 0 },  { "nohome", 13, "/h/nohome", -1 }, { "nfs", 14, "/h/nfs", -2 },
	{ "Upper", 15, "/h/Upper", 15 }, { "alias", 7, "/a", 7 },
};

static int failure; /* what the password database answers, unless 0 */
static bool no_alias;

static int fake_passwd(const char *name, struct passwd *pw, char *space, size_t n, struct passwd **result)
{
	(void)space;
	*result = NULL;
	if (n < 4096)
		return ERANGE;
	if (failure)
		return failure;
	for (size_t i = 0; i < sizeof accounts / sizeof *accounts; i++) {
		if (strcmp(accounts[i].name, name) != 0 || (no_alias && accounts[i].uid == 7))
			continue;
		*pw = (struct passwd){ .pw_name = (char *)(uintptr_t)accounts[i].name,
				       .pw_uid = accounts[i].uid,
				       .pw_gid = 100,
				       .pw_dir = (char *)(uintptr_t)accounts[i].home };
		*result = pw;
	}
	return 0;
}

static int fake_stat(const char *path, struct stat *st)
{
	for (size_t i = 0; i < sizeof accounts / sizeof *accounts; i++) {
		if (strcmp(accounts[i].home, path) != 0)
			continue;
		errno = accounts[i].owner == -2 ? ESTALE : ENOENT;
		st->st_uid = (uid_t)accounts[i].owner;
		return accounts[i].owner < 0 ? -1 : 0;
	}
	errno = ENOENT;
	return -1;
}

static const struct getpw_system fake = { fake_passwd, fake_stat };

static void finds(const struct getpw_rules *rules, const char *local, const char *expected)
{
	struct owner o = OWNER_INIT;
	struct buf b = BUF_INIT(1000);

	assert_int_equal(getpw_find(rules, str_of(local), &o), OWNER_FOUND);
	buf_addf(&b, "%s %u %u %s [%s] [%s]", o.user, o.uid, o.gid, o.home, o.dash, o.ext);
	assert_string_equal(buf_cstr(&b), expected);
	buf_free(&b);
	owner_free(&o);
}

static void fails(const struct getpw_rules *rules, const char *local, enum owner_status expected)
{
	struct owner o = OWNER_INIT;

	assert_int_equal(getpw_find(rules, str_of(local), &o), expected);
	owner_free(&o);
}

static void accounts_own_their_addresses(void **state)
{
	const struct getpw_rules rules = { .system = &fake };

	(void)state;
	finds(&rules, "joe", "joe 10 100 /h/joe [] []");
	finds(&rules, "JOE", "joe 10 100 /h/joe [] []");
	finds(&rules, "joe-Foo-bar", "joe 10 100 /h/joe [-] [Foo-bar]");
	finds(&rules, "joe-", "joe 10 100 /h/joe [-] []");
	finds(&rules, "joe-x", "joe-x 11 100 /h/joe-x [] []");
	finds(&rules, "joe-x-y", "joe-x 11 100 /h/joe-x [-] [y]");
	finds(&rules, "alias", "alias 7 100 /a [] []");
}

static void the_rest_belongs_to_alias(void **state)
{
	const struct getpw_rules rules = { .system = &fake };

	(void)state;
	finds(&rules, "nobody-Here", "alias 7 100 /a [-] [nobody-Here]");
	finds(&rules, "root", "alias 7 100 /a [-] [root]");
	finds(&rules, "root-x", "alias 7 100 /a [-] [root-x]");
	finds(&rules, "stray", "alias 7 100 /a [-] [stray]");
	finds(&rules, "nohome", "alias 7 100 /a [-] [nohome]");
	finds(&rules, "upper", "alias 7 100 /a [-] [upper]");
	finds(&rules, "-joe", "alias 7 100 /a [-] [-joe]");
	finds(&rules, "joeaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	      "alias 7 100 /a [-] [joeaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]");
}

static void trouble_is_never_no_such_user(void **state)
{
	const struct getpw_rules rules = { .system = &fake };

	(void)state;
	fails(&rules, "nfs", OWNER_HOME);
	failure = EIO;
	fails(&rules, "joe", OWNER_TEMPORARY);
	failure = ECONNREFUSED;
	fails(&rules, "nobody", OWNER_TEMPORARY);
	failure = 0;
	no_alias = true;
	fails(&rules, "nobody", OWNER_NO_ALIAS);
	no_alias = false;
}

static void an_ordinary_user_has_only_his_own(void **state)
{
	const struct getpw_rules rules = {
		.system = &fake, .own_only = true, .own_uid = 10, .own_gid = 50, .own_alias = "/q/alias"
	};

	(void)state;
	finds(&rules, "joe-a", "joe 10 100 /h/joe [-] [a]");
	finds(&rules, "alias", "alias 10 50 /q/alias [-] [alias]");
	finds(&rules, "joe-x", "joe 10 100 /h/joe [-] [x]");
	finds(&rules, "other", "alias 10 50 /q/alias [-] [other]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accounts_own_their_addresses),
		cmocka_unit_test(the_rest_belongs_to_alias),
		cmocka_unit_test(trouble_is_never_no_such_user),
		cmocka_unit_test(an_ordinary_user_has_only_his_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
