/*
 * linepattern: the patterns of multilog and usually (contract-companions
 * §2.3). A star stands for everything up to the first occurrence of the byte
 * behind it, at the end of the pattern for everything; nothing is tried
 * twice. All other bytes stand for themselves.
 */
#ifndef LINELOG_LINEPATTERN_H
#define LINELOG_LINEPATTERN_H

#include "base/str.h"

bool linepattern_match(struct str pattern, struct str line);

#endif
