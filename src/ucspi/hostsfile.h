/*
 * hostsfile: names in /etc/hosts. Pure.
 */
#ifndef UCSPI_HOSTSFILE_H
#define UCSPI_HOSTSFILE_H

#include "listener/inetaddr.h"

/* Calls each(ctx, address) for every line of text that gives name an address; letter case does not matter. */
void hostsfile_find(struct str text, struct str name, void (*each)(void *ctx, const struct inetaddr *a), void *ctx);

#endif
