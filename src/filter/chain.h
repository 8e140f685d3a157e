/*
 * chain: programs that change something of themselves and then become the
 * program that the rest of their command line names (contract-companions
 * §0.3).
 */
#ifndef FILTER_CHAIN_H
#define FILTER_CHAIN_H

#include "filter/childenv.h"

/* Becomes argv[0] with env, or with the own environment if it is NULL. On failure says so for `me` and exits 111. */
_Noreturn void chain_run(const char *me, char *const *argv, const struct childenv *env);

#endif
