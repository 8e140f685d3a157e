/*
 * crfilter: what addcr, delcr and mconnect-io share: copying from one
 * descriptor to another with other line ends.
 */
#ifndef UCSPI_CRFILTER_H
#define UCSPI_CRFILTER_H

#include "base/err.h"

enum crfilter { CRFILTER_ADD, CRFILTER_REMOVE, CRFILTER_NONE };

/* Copies to the end of the input, each piece as soon as it is there. */
bool crfilter_copy(enum crfilter what, int from, int to, struct err *e);

#endif
