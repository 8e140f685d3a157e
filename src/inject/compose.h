/*
 * compose: completing a new message's header (contract §13.3).
 *
 * Fields go in one by one; they are rewritten and kept, their addresses
 * gathered. At the end the generated fields come out, then the kept ones.
 * No I/O and no clock: what a caller knows is in struct compose_facts.
 */
#ifndef INJECT_COMPOSE_H
#define INJECT_COMPOSE_H

#include "conf/control.h"
#include "inject/addresses.h"
#include "inject/field.h"
#include "inject/identity.h"
#include "inject/rewrite.h"

#define COMPOSE_HEADER_MAX (256u << 20) /* bytes of the rewritten header */
#define COMPOSE_LINE_WIDTH 80

/* The letters of $QMAILINJECT, and what else changes the result. */
struct compose_options {
	bool name_as_comment;      /* c */
	bool ignore_return_path;   /* s */
	bool delete_from;          /* f */
	bool delete_message_id;    /* i */
	bool sender_per_recipient; /* r */
	bool sender_per_message;   /* m */
};

struct compose_facts {
	const struct rewrite_rules *rules;
	const struct identity *who;
	const struct control_map *followup; /* addresses that want Mail-Followup-To, or NULL */
	struct str idhost;
	int64_t time;
	uint64_t pid;
};

struct compose {
	struct compose_options options;
	const struct compose_facts *facts;
	uint32_t seen;                       /* bit f: field f occurred */
	struct buf kept;                     /* fields that go out, in order */
	struct addresses recipients, resent; /* of the two kinds of fields */
	struct addresses followup;           /* of To and Cc, in header form */
	bool followup_wanted;
	struct buf sender; /* from Return-Path */
	bool has_sender;
	uint64_t unparsed;                 /* recipient fields that were passed on as they were */
	struct token_list tokens, written; /* scratch */
};

void compose_init(struct compose *c, const struct compose_facts *facts, struct compose_options options);
void compose_free(struct compose *c);

/*
 * The next field, with continuation lines; its last LF may be missing. A
 * recipient field that cannot be parsed is kept as it is and gives no
 * recipients; another address field that cannot be is a permanent error, as is
 * a header over COMPOSE_HEADER_MAX.
 */
bool compose_field(struct compose *c, struct str field, struct err *e);

/* A "From " line among the fields: goes out as the field MBOX-Line. */
bool compose_mbox_line(struct compose *c, struct str line, struct err *e);

/* The envelope sender that the header or the identity gives. Replaces *out. */
bool compose_sender(struct compose *c, struct buf *out, struct err *e);

/* The recipients that count: those of Resent fields when the message is resent. */
const struct addresses *compose_recipients(const struct compose *c);

/* Appends the fields that were missing; they stand before c->kept. */
bool compose_generated(struct compose *c, struct buf *out, struct err *e);

#endif
