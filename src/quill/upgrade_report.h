/*
 * upgrade_report: what quill upgrade-check finds, gathered and printed.
 */
#ifndef QUILL_UPGRADE_REPORT_H
#define QUILL_UPGRADE_REPORT_H

#include "base/buf.h"
#include "upgrade/verdict.h"

struct upgrade_report {
	bool json;
	size_t counts[3];  /* by verdict */
	struct buf used;   /* names with nothing to say about them, for the end */
	size_t used_width; /* of its last line */
};

/* part: "control", or "" for the home itself. text: fmt; empty when there is nothing to say. */
void upgrade_say(struct upgrade_report *r, enum verdict v, const char *part, struct str name, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

void upgrade_end(struct upgrade_report *r);

/* Names in the directory, sorted, without those that begin with '.' unless hidden. To be freed with upgrade_names_free.
 */
struct upgrade_names {
	char **items;
	size_t n;
	bool hidden;
};

/* False: there is no such directory, or it cannot be read (errno). */
bool upgrade_names(struct upgrade_names *names, const char *directory);
void upgrade_names_free(struct upgrade_names *names);

/* A whole file, of at most a megabyte; relative to the home. False: it is not there or is not readable text. */
bool upgrade_read(const char *path, struct buf *text);

/* upgrade_files.c, upgrade_tree.c: each looks at a part of the home, which is the working directory. */
void upgrade_control(struct upgrade_report *r);
void upgrade_users(struct upgrade_report *r);
void upgrade_alias(struct upgrade_report *r);
void upgrade_script(struct upgrade_report *r, const char *path);
void upgrade_services(struct upgrade_report *r, const char *directory);
void upgrade_rules(struct upgrade_report *r, const char *path);
void upgrade_bin(struct upgrade_report *r);
void upgrade_queue(struct upgrade_report *r);
void upgrade_accounts(struct upgrade_report *r);

#endif
