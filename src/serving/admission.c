#include "serving/admission.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/control.h"
#include "sys/home.h"

static void use(struct admission *a, const char *directory, struct str path)
{
	struct buf whole = BUF_INIT(2 * PATH_MAX);
	size_t slash;

	if (*path.p != '/')
		buf_addf(&whole, "%s/", directory);
	buf_add(&whole, path);
	slash = str_rchr(buf_str(&whole), '/');
	a->path = mem_copy(buf_str(&whole));
	a->directory = mem_copy(slash == 0 ? STR("/") : str_head(buf_str(&whole), slash));
	a->rules.path = a->path;
	buf_free(&whole);
}

bool admission_option(struct admission *a, const char *path, struct err *e)
{
	char here[PATH_MAX];

	if (*path == 0 || getcwd(here, sizeof here) == NULL)
		return err_sys(e, *path ? errno : ENOENT, "unable to find the rules in %s", path);
	use(a, here, str_of(path));
	return true;
}

static bool choose(struct admission *a, const char *file, struct err *e)
{
	struct buf named = BUF_INIT(PATH_MAX);
	bool present, ok;

	if (a->path || home_dir() == -1)
		return true;
	ok = control_line(file, &named, &present, e);
	if (ok && present && named.n)
		use(a, home_path(), buf_str(&named));
	buf_free(&named);
	return ok;
}

static void remember_environment(struct admission *a)
{
	while (environ && environ[a->n])
		a->n++;
	a->before = mem_array(NULL, 2 * (a->n + 1), sizeof *a->before);
	for (size_t i = 0; i < a->n; i++)
		a->before[i] = environ[i];
}

bool admission_open(struct admission *a, const char *file, struct err *e)
{
	if (!choose(a, file, e))
		return false;
	if (a->path == NULL)
		return true;
	remember_environment(a);
	accessrules_refresh(&a->rules);
	if (a->rules.ok && a->rules.file.present)
		return true;
	if (!a->rules.ok)
		*e = a->rules.error;
	else
		err_sys(e, ENOENT, "tcprules makes it");
	return err_context(e, "unable to read the rules in %s", a->path);
}

void admission_close(struct admission *a)
{
	cdbfile_close(&a->rules.file);
	free(a->path);
	free(a->directory);
	free(a->before);
	*a = ADMISSION_INIT;
}

/* setenv(3) may write into the array that it finds: it gets a copy. */
static void restore_environment(struct admission *a)
{
	char **copy = a->before + a->n + 1;

	for (size_t i = 0; i < a->n; i++)
		copy[i] = a->before[i];
	copy[a->n] = NULL;
	environ = copy;
}

static void set(void *ctx, struct str name, struct str value)
{
	char *n = mem_copy(name), *v = value.p ? mem_copy(value) : NULL;

	(void)ctx;
	if (v)
		setenv(n, v, 1);
	else
		unsetenv(n);
	free(n);
	free(v);
}

enum access admission_ask(struct admission *a, const struct rule_client *client, void (*prepare)(void *ctx), void *ctx,
			  struct err *e)
{
	enum access answer;

	if (a->path)
		restore_environment(a);
	if (prepare)
		prepare(ctx);
	accessrules_refresh(&a->rules);
	answer = accessrules_ask(&a->rules, client, set, NULL, e);
	if (answer == ACCESS_TROUBLE)
		err_context(e, "unable to read the rules in %s", a->path);
	return answer;
}

static const char *variable(const void *ctx, const char *name)
{
	(void)ctx;
	return getenv(name);
}

bool admission_within(const struct connlimit *connections)
{
	return connlimit_within(connections, variable, NULL);
}
