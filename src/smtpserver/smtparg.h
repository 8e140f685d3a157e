/*
 * smtparg: the arguments of MAIL and RCPT, parsed without I/O (contract
 * §12.2 and D.6; RFC 5321 §4.1.1.2, RFC 1870, RFC 6152, RFC 3461).
 *
 * As tolerant as qmail about what stands around the address: FROM: and TO:
 * are not checked, brackets may be missing, the closing one too, a source
 * route is dropped. Not tolerant about the address itself: control bytes, an
 * open quote, bare spaces within, or a missing local part or domain are
 * errors, because what two programs read differently can be used against
 * one of them.
 */
#ifndef SMTPSERVER_SMTPARG_H
#define SMTPSERVER_SMTPARG_H

#include "base/buf.h"

#define SMTPARG_ADDRESS_MAX 899

enum smtparg_result {
	SMTPARG_OK,
	SMTPARG_SYNTAX,    /* 555: the address, or an unknown parameter */
	SMTPARG_BAD_VALUE, /* 501: a known parameter with an impossible value, or given twice */
};

/* Which parameters there are. */
enum smtparg_set {
	SMTPARG_PLAIN, /* SIZE, BODY */
	SMTPARG_MAIL,  /* RET and ENVID too */
	SMTPARG_RCPT,  /* NOTIFY and ORCPT too */
};

struct smtparg {
	struct buf address; /* unquoted; caller gives it with limit SMTPARG_ADDRESS_MAX */
	size_t at;          /* index of the @ before the domain; address.n when there is none */
	bool many_at;       /* the local part has an unquoted @ */
	bool size_given;
	uint64_t size; /* UINT64_MAX for anything larger */
	bool body_given;
	bool body_8bit;
	uint8_t ret, notify;     /* enum dsn_ret; enum dsn_notify, or-ed */
	struct str envid, orcpt; /* as they stand in the argument: views into it; empty: not given */
};

#define SMTPARG_INIT ((struct smtparg){ .address = BUF_INIT(SMTPARG_ADDRESS_MAX) })

/* Replaces the whole content of *a, but keeps its memory. */
enum smtparg_result smtparg_parse(struct str arg, enum smtparg_set set, struct smtparg *a);

#endif
