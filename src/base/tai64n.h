/*
 * tai64n: times in external TAI64N format, and their labels at the start of
 * log lines (contract-companions §2.4). A label is '@' and 24 lower-case hex
 * digits: seconds, counted as 2^62 + 10 + Unix time (no leap seconds), then
 * nanoseconds.
 */
#ifndef BASE_TAI64N_H
#define BASE_TAI64N_H

#include "base/str.h"

#define TAI64N_PACKED 12
#define TAI64N_LABEL 25

struct tai64n {
	uint64_t seconds; /* as in labels */
	uint32_t nanoseconds;
};

/* From Unix time in nanoseconds. */
struct tai64n tai64n_from_unix_ns(int64_t ns);
/* Unix seconds; times before 1970 are negative. */
int64_t tai64n_unix(struct tai64n t);

/* 12 bytes, big-endian. */
void tai64n_pack(unsigned char packed[TAI64N_PACKED], struct tai64n t);
struct tai64n tai64n_unpack(const unsigned char packed[TAI64N_PACKED]);

/* Writes a label; no NUL behind it. */
void tai64n_label(char label[TAI64N_LABEL], struct tai64n t);
/* The label at the start of s. False if there is none: fewer digits, or more than 999999999 ns. */
bool tai64n_scan(struct str s, struct tai64n *t);

#endif
