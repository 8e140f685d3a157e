/*
 * sandbox_internal: the parts of sandbox, one for each mechanism.
 *
 * Each returns false with *e filled when the kernel has the mechanism but it
 * could not be put in force. *missing is set when the kernel has not got it, or
 * when what surrounds us (a container) keeps it from us.
 */
#ifndef SANDBOX_SANDBOX_INTERNAL_H
#define SANDBOX_SANDBOX_INTERNAL_H

#include "sandbox/sandbox.h"

/* seccomp; the last step, since it forbids the others. */
bool sandbox_limit_calls(const struct sandbox_rights *r, bool *missing, struct err *e);

/* Landlock. */
bool sandbox_limit_files(const struct sandbox_rights *r, bool *missing, struct err *e);

/* Does it hold SANDBOX_WRITE for any path? */
bool sandbox_writes(const struct sandbox_rights *r);

#endif
