#include "filter/childenv.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

#define PATH_LIMIT 65536

struct childenv childenv_start(void)
{
	struct childenv env = { NULL, 0 };

	while (environ && environ[env.n])
		env.n++;
	env.strings = mem_zero(env.n + 1, sizeof *env.strings);
	for (size_t i = 0; i < env.n; i++)
		env.strings[i] = mem_copy(str_of(environ[i]));
	return env;
}

static bool names(const char *string, struct str name)
{
	return strncmp(string, name.p, name.n) == 0 && string[name.n] == '=';
}

void childenv_set_list(struct childenv *env, struct str prefix, struct str list)
{
	struct str item, name, value;

	while (str_cut(list, 0, &item, &list))
		if (str_cut(item, '=', &name, &value) && str_starts(name, prefix))
			childenv_set_str(env, name, value);
}

void childenv_remove(struct childenv *env, struct str name)
{
	size_t kept = 0;

	for (size_t i = 0; i < env->n; i++) {
		if (names(env->strings[i], name))
			free(env->strings[i]);
		else
			env->strings[kept++] = env->strings[i];
	}
	env->n = kept;
	env->strings[kept] = NULL;
}

void childenv_set_str(struct childenv *env, struct str name, struct str value)
{
	struct buf string = BUF_INIT(name.n + value.n + 1);

	childenv_remove(env, name);
	buf_add(&string, name);
	buf_addc(&string, '=');
	buf_add(&string, value);
	env->strings = mem_array(env->strings, env->n + 2, sizeof *env->strings);
	env->strings[env->n++] = mem_copy(buf_str(&string));
	env->strings[env->n] = NULL;
	buf_free(&string);
}

void childenv_set(struct childenv *env, const char *name, const char *value)
{
	if (value)
		childenv_set_str(env, str_of(name), str_of(value));
	else
		childenv_remove(env, str_of(name));
}

const char *childenv_get(const struct childenv *env, const char *name)
{
	struct str wanted = str_of(name);

	for (size_t i = 0; i < env->n; i++)
		if (names(env->strings[i], wanted))
			return env->strings[i] + wanted.n + 1;
	return NULL;
}

void childenv_free(struct childenv *env)
{
	for (size_t i = 0; i < env->n; i++)
		free(env->strings[i]);
	free(env->strings);
	*env = (struct childenv){ NULL, 0 };
}

/* A program that is not here, or not for us, may be in the next directory. */
static bool look_further(int errnum)
{
	return errnum == ENOENT || errnum == EACCES || errnum == EPERM || errnum == EISDIR;
}

static void run_in(const struct childenv *env, struct str directory, const char *program, char *const *argv)
{
	struct buf path = BUF_INIT(PATH_LIMIT);

	buf_add(&path, directory.n ? directory : STR("."));
	buf_addc(&path, '/');
	buf_addz(&path, program);
	if (buf_ok(&path))
		execve(buf_cstr(&path), argv, env->strings);
	else
		errno = ENAMETOOLONG;
	buf_free(&path);
}

void childenv_run(const struct childenv *env, const char *program, char *const *argv)
{
	const char *list = getenv("PATH");
	struct str rest = str_of(list ? list : "/bin:/usr/bin"), directory;
	int found = ENOENT;
	bool more = true;

	if (strchr(program, '/')) {
		execve(program, argv, env->strings);
		return;
	}
	while (more) {
		more = str_cut(rest, ':', &directory, &rest);
		run_in(env, directory, program, argv);
		if (errno != ENOENT)
			found = errno;
		if (!look_further(errno))
			break;
	}
	errno = found;
}
