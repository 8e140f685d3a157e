/*
 * serialhead: the two lines that qmail-local puts before a message in a
 * Maildir (contract-companions §5):
 *
 *   Return-Path: <sender>
 *   Delivered-To: prefix-recipient
 */
#ifndef SERIAL_SERIALHEAD_H
#define SERIAL_SERIALHEAD_H

#include "base/buf.h"
#include "base/err.h"

#define SERIALHEAD_MAX 10000 /* bytes that the two lines may have */

struct serialhead {
	struct buf sender;    /* without quotes */
	struct buf recipient; /* without the prefix */
	size_t length;        /* of both lines */
};

#define SERIALHEAD_INIT ((struct serialhead){ BUF_INIT(SERIALHEAD_MAX), BUF_INIT(SERIALHEAD_MAX), 0 })

/* Reads the beginning of a message. False: it has no such lines, or is for somebody without the prefix. Pure. */
bool serialhead_parse(struct str beginning, struct str prefix, struct serialhead *head);

/*
 * Opens a message and reads its lines. The descriptor, positioned behind them,
 * or -1: *e says what is wrong with the file, or has ERR_NONE when it is not
 * one of ours.
 */
int serialhead_open(const char *path, struct str prefix, struct serialhead *head, struct err *e);

void serialhead_free(struct serialhead *head);

#endif
