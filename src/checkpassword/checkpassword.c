/*
 * checkpassword PROGRAM [ARGUMENT ...]: the accounts of the system, by their
 * password database (contract-companions §3).
 */
#include <errno.h>
#include <shadow.h>
#include <time.h>

#include "checker/checker.h"
#include "password/passwordhash.h"
#include "sys/clock.h"

#define HASH_MAX 4096
#define DAY 86400

/* The shadow file, where there is one, has the last word. False: it cannot be asked now. */
static bool read_shadow(const char *login, struct buf *hash)
{
	static char space[65536];
	struct spwd sp, *found = NULL;
	int r = getspnam_r(login, &sp, space, sizeof space, &found);

	if (found == NULL)
		return r == 0 || !errno_temporary(r);
	buf_clear(hash);
	/* An account that has expired has no password. */
	if (sp.sp_expire <= 0 || clock_wall() / DAY < sp.sp_expire)
		buf_addz(hash, sp.sp_pwdp);
	return true;
}

static enum checker_verdict verify(const struct checkinput *c, struct checker_account *a)
{
	struct buf hash = BUF_INIT(HASH_MAX);
	enum checker_verdict verdict = checker_system_account(c->login.p, a, &hash);

	if (verdict == CHECKER_RIGHT && !read_shadow(c->login.p, &hash))
		verdict = CHECKER_TEMPORARY;
	if (verdict == CHECKER_WRONG)
		password_waste_time(c->password.p);
	else if (verdict == CHECKER_RIGHT && !password_matches(c->password.p, buf_cstr(&hash)))
		verdict = CHECKER_WRONG;
	buf_free(&hash);
	return verdict;
}

int main(int argc, char **argv)
{
	checker_run(argv + (argc > 0), verify);
}
