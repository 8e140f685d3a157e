/*
 * childenv: the environment that another program will be given, and becoming
 * that program (contract-companions §0.3). The own environment stays as it
 * is: the program is looked for in the PATH of before.
 */
#ifndef FILTER_CHILDENV_H
#define FILTER_CHILDENV_H

#include "base/str.h"

struct childenv {
	char **strings; /* "NAME=value", owned, each owned; NULL behind the last */
	size_t n;
};

/* A copy of this process's environment. */
struct childenv childenv_start(void);

/* Sets a variable, or removes it when value is NULL. The last change of a name counts. */
void childenv_set(struct childenv *env, const char *name, const char *value);
/* The same with a value that need not end in NUL; at a NUL within it ends. */
void childenv_set_str(struct childenv *env, struct str name, struct str value);
/*
 * Sets those of a list of "NAME=value", each with a NUL behind it, whose names begin like this: whoever makes the list
 * has no say in the others, which decide how programs run.
 */
void childenv_set_list(struct childenv *env, struct str prefix, struct str list);
void childenv_remove(struct childenv *env, struct str name);
/* The value, or NULL. */
const char *childenv_get(const struct childenv *env, const char *name);

void childenv_free(struct childenv *env);

/*
 * Becomes `program` with these arguments: a path if it has a slash, else
 * looked for in $PATH (/bin:/usr/bin without one; an empty element is the
 * working directory). Returns only on failure, with errno.
 */
void childenv_run(const struct childenv *env, const char *program, char *const *argv);

#endif
