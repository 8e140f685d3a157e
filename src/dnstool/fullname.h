/*
 * fullname: a host's full name as the system's resolver knows it, from
 * /etc/hosts or DNS, with the search list. It works where qmail-resolve does
 * not run yet.
 */
#ifndef DNSTOOL_FULLNAME_H
#define DNSTOOL_FULLNAME_H

#include "base/buf.h"
#include "base/err.h"

/* Appends the name in lower case. False with the reason; temporary when it may be known later. */
bool fullname_find(const char *host, struct buf *name, struct err *e);

#endif
