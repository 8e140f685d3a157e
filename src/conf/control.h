/*
 * control: reading the files in control/ by qmail's rules (contract §2.1).
 *
 * One-line file: the first line, blanks at its end removed. Integer file: its
 * leading digits. List file: one entry a line, `#` comments and empty lines
 * skipped. Map file: list entries `key:value`. A CR before the LF is removed
 * too, so that files edited on other systems work.
 *
 * A missing file is no error: the default applies. A file that exists and
 * cannot be read is. Paths are relative to the home (home_open comes first).
 */
#ifndef CONF_CONTROL_H
#define CONF_CONTROL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"

#define CONTROL_FILE_MAX (64u << 20) /* larger control files are refused */

/* Replaces *out by the value; *present says whether the file exists (an empty file gives the empty string). */
bool control_line(const char *name, struct buf *out, bool *present, struct err *e);

/* The whole file, as it is: for certificates and texts. Replaces *out. */
bool control_text(const char *name, struct buf *out, bool *present, struct err *e);

/* As control_line; without the file: control/me, and without that `literal`. */
bool control_line_or_me(const char *name, const char *literal, struct buf *out, struct err *e);

/* As control_line; without the file: `literal`. */
bool control_line_or(const char *name, const char *literal, struct buf *out, struct err *e);

/*
 * Changes *value when the file begins with a digit; too large a number gives UINT64_MAX. Otherwise *value keeps
 * the caller's default.
 */
bool control_number(const char *name, uint64_t *value, struct err *e);

/*
 * A number that changes when any of the n files in control/ is made, replaced, changed or removed. Long-running
 * programs compare it before they use what they have read, so that edits count at once, as with qmail.
 */
uint64_t control_fingerprint(const char *const *names, size_t n);

struct control_list {
	bool present;
	char *text;        /* owned; items point into it */
	struct str *items; /* owned */
	size_t n;
};

bool control_list_load(const char *name, struct control_list *list, struct err *e);
/* Empties it and releases its memory. */
void control_list_free(struct control_list *list);

/*
 * A set of keys, or a map, in memory: keys compared without regard to ASCII case, the last of equal keys wins.
 * Both control lists used for look-ups (locals, rcpthosts) and map files are loaded into this.
 */
struct control_map {
	bool present;
	struct control_list lines;
	struct control_map_slot *slots;
	size_t nslots;
	struct hash_key key;
};

/* Lines `key:value`; lines without a colon are ignored. */
bool control_map_load(const char *name, struct control_map *map, struct err *e);
/* Whole lines are keys with empty values. */
bool control_set_load(const char *name, struct control_map *map, struct err *e);
/* The same rules for a file elsewhere, relative to the working directory ($QMAILMFTFILE). */
bool control_set_load_path(const char *path, struct control_map *map, struct err *e);
/* A set of the one key given, for defaults. */
void control_set_single(struct control_map *map, struct str key);
void control_map_free(struct control_map *map);

/* Is key there? *value (may be NULL) gets its value, a view into the map. */
bool control_map_find(const struct control_map *map, struct str key, struct str *value);
/* The index in map->lines of the line that a value found there belongs to. */
size_t control_map_line(const struct control_map *map, struct str value);

/*
 * Looks up domain, then each `.suffix` of it from the longest to the shortest (contract §8.2, §12.3). The empty
 * key is not tried.
 */
bool control_map_find_domain(const struct control_map *map, struct str domain, struct str *value);

#endif
