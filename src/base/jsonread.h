/*
 * jsonread: reading a value out of a flat JSON object, such as our log has.
 */
#ifndef BASE_JSONREAD_H
#define BASE_JSONREAD_H

#include "base/buf.h"

/*
 * Replaces *out by the member's value: a string without its quotes and
 * escapes, anything else as it stands. False: there is no such member, or
 * object is no object. Objects and arrays within are passed over.
 */
bool json_member(struct str object, const char *key, struct buf *out);

#endif
