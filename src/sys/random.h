/*
 * random: unpredictable bytes from the kernel. Failure ends the process (111): weak randomness is worse than none.
 */
#ifndef SYS_RANDOM_H
#define SYS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"

void random_bytes(void *p, size_t n);
/* Uniform in [0, bound); bound > 0. */
uint32_t random_below(uint32_t bound);
struct hash_key random_hash_key(void);

#endif
