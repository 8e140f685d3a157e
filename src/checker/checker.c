#include "checker/checker.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/accounts.h"
#include "sys/io.h"

#define INPUT_FD 3
#define TEXT_MAX 16384

enum { EXIT_WRONG = 1, EXIT_MISUSED = 2, EXIT_TROUBLE = 111 };

/* One byte more shows that there was more. */
static size_t read_input(char input[CHECKINPUT_MAX + 1])
{
	size_t n = 0;

	while (n <= CHECKINPUT_MAX) {
		ssize_t r = io_read(INPUT_FD, input + n, CHECKINPUT_MAX + 1 - n);

		if (r == -1)
			_exit(EXIT_TROUBLE);
		if (r == 0)
			break;
		n += (size_t)r;
	}
	close(INPUT_FD);
	if (n > CHECKINPUT_MAX)
		_exit(EXIT_WRONG);
	return n;
}

static void enter(const struct checker_account *a, const char *home)
{
	struct err e;

	if (!accounts_become(a->uid, a->gid, &e))
		_exit(EXIT_WRONG);
	if (chdir(home) == -1)
		_exit(EXIT_TROUBLE);
}

_Noreturn void checker_run(char *const *program,
			   enum checker_verdict (*verify)(const struct checkinput *c, struct checker_account *a))
{
	struct checker_account a = { BUF_INIT(TEXT_MAX), BUF_INIT(TEXT_MAX), BUF_INIT(TEXT_MAX), 0, 0 };
	char input[CHECKINPUT_MAX + 1];
	struct checkinput c;
	enum checker_verdict verdict;
	size_t n;

	if (*program == NULL)
		_exit(EXIT_MISUSED);
	n = read_input(input);
	if (!checkinput_parse((struct str){ input, n }, &c))
		_exit(EXIT_MISUSED);
	verdict = verify(&c, &a);
	explicit_bzero(input, sizeof input);
	if (verdict != CHECKER_RIGHT)
		_exit((int)verdict);
	enter(&a, buf_cstr(&a.home));
	if (setenv("USER", buf_cstr(&a.user), 1) == -1 || setenv("HOME", buf_cstr(&a.home), 1) == -1 ||
	    setenv("SHELL", buf_cstr(&a.shell), 1) == -1)
		_exit(EXIT_TROUBLE);
	execvp(*program, program);
	_exit(EXIT_TROUBLE);
}

enum checker_verdict checker_system_account(const char *login, struct checker_account *a, struct buf *password)
{
	static char space[65536];
	struct passwd pw, *found = NULL;
	int r = getpwnam_r(login, &pw, space, sizeof space, &found);

	if (found == NULL)
		return r == 0 || !errno_temporary(r) ? CHECKER_WRONG : CHECKER_TEMPORARY;
	a->uid = pw.pw_uid;
	a->gid = pw.pw_gid;
	buf_addz(&a->user, pw.pw_name);
	buf_addz(&a->home, pw.pw_dir);
	buf_addz(&a->shell, pw.pw_shell);
	if (password)
		buf_addz(password, pw.pw_passwd);
	explicit_bzero(space, sizeof space);
	return CHECKER_RIGHT;
}
