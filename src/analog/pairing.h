/*
 * pairing: brings together what qmail-send's log says of each message and
 * each delivery in several lines (contract-companions §6.1).
 *
 *   d RESULT birth dstart ddone bytes <sender> chan.recip qp uid reason
 *   m birth done bytes nk nd nz <sender> qp uid
 *
 * RESULT is k, d or z; nk, nd and nz count them. Every line of the log begins
 * with its time: seconds with a fraction, or a TAI64N label, which becomes
 * such. What is unfinished at the end can be put before the next log.
 */
#ifndef ANALOG_PAIRING_H
#define ANALOG_PAIRING_H

#include "base/buf.h"
#include "base/hash.h"

struct pairing;

struct pairing *pairing_start(struct hash_key key);
/* A line of the log, without its LF. What it completes, or what is not understood, is added to out. */
void pairing_line(struct pairing *p, struct str line, struct buf *out);
/* What is unfinished, as lines of a log. */
void pairing_pending(const struct pairing *p, struct buf *out);
void pairing_free(struct pairing *p);

#endif
