/*
 * err: what went wrong, in words, and whether it may go away by itself.
 *
 * A function that can fail returns bool and fills the caller's struct err
 * when it returns false. The kind is mail's own question, temporary (4xx,
 * exit 111) or permanent (5xx, exit 100), and is decided where the cause is
 * known. Texts are built from the inside out: the innermost function says
 * what failed, callers put the context in front with err_context.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

enum err_kind { ERR_NONE, ERR_TEMPORARY, ERR_PERMANENT };

struct err {
	enum err_kind kind;
	int sys;        /* errno behind it, or 0 */
	char text[480]; /* NUL-terminated; longer texts are cut */
};

/* Fills e; returns false, so that `return err_temp(e, …)` reads well. */
bool err_temp(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool err_perm(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Fills e from an errno: the text gets ": " and errno_text, the kind follows
 * errno_temporary. Returns false.
 */
bool err_sys(struct err *e, int errnum, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "context: " in front of the text; returns false. */
bool err_context(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* 111 for temporary, 100 for permanent. */
int err_exit_code(const struct err *e);

/* qmail's own words for an errno: "file does not exist", or "unknown error". */
const char *errno_text(int errnum);

/* May the same call succeed later? qmail's list of temporary errors. */
bool errno_temporary(int errnum);

#endif
