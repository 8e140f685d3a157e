/*
 * deadhosts: asking the running qmail-rspawn about servers that do not answer
 * (wire/deadproto.h). Only root and the user of the mail system may.
 */
#ifndef DEADHOSTS_DEADHOSTS_H
#define DEADHOSTS_DEADHOSTS_H

#include "base/err.h"
#include "wire/deadproto.h"

/* Calls each, which may be NULL, for every server, after it was forgotten with `forget`. The home is open. */
bool deadhosts_ask(bool forget, void (*each)(const struct dead_host *h), struct err *e);

#endif
