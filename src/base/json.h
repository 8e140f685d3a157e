/*
 * json: writing JSON (RFC 8259), one value after the other.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"

/* Appends s as a string with its quotes; bytes that are not UTF-8 become U+FFFD each. */
void json_put(struct buf *b, struct str s);

/*
 * Members of an object, each with its comma: json_key appends `,"key":`, and
 * no comma behind an opening brace or bracket.
 */
void json_key(struct buf *b, const char *key);
void json_str(struct buf *b, const char *key, struct str value);
void json_u64(struct buf *b, const char *key, uint64_t value);
void json_bool(struct buf *b, const char *key, bool value);
/* "2026-11-21T10:06:03Z" */
void json_time(struct buf *b, const char *key, int64_t seconds);

#endif
