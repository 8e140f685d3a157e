/*
 * field: the header fields that a new message is completed by. One table.
 */
#ifndef INJECT_FIELD_H
#define INJECT_FIELD_H

#include "base/str.h"

enum field {
	FIELD_OTHER,
	FIELD_TO,
	FIELD_CC,
	FIELD_BCC,
	FIELD_APPARENTLY_TO,
	FIELD_RETURN_PATH,
	FIELD_SENDER,
	FIELD_FROM,
	FIELD_REPLY_TO,
	FIELD_RETURN_RECEIPT_TO,
	FIELD_ERRORS_TO,
	FIELD_DATE,
	FIELD_MESSAGE_ID,
	FIELD_MAIL_FOLLOWUP_TO,
	FIELD_CONTENT_LENGTH,
	FIELD_RESENT_TO,
	FIELD_RESENT_CC,
	FIELD_RESENT_BCC,
	FIELD_RESENT_SENDER,
	FIELD_RESENT_FROM,
	FIELD_RESENT_REPLY_TO,
	FIELD_RESENT_DATE,
	FIELD_RESENT_MESSAGE_ID,
	FIELD_COUNT
};

/* What its addresses are for. */
enum field_use {
	FIELD_PLAIN,  /* holds no addresses */
	FIELD_SHOWN,  /* rewritten, nothing else */
	FIELD_ORIGIN, /* gives the envelope sender */
	FIELD_GIVES_RECIPIENTS,
	FIELD_GIVES_RESENT_RECIPIENTS
};

struct field_traits {
	struct str name;
	enum field_use use;
	bool deleted; /* never goes out */
	bool resent;  /* makes the message a resent one */
	bool to_cc;   /* counts for Mail-Followup-To */
};

/* Which field has this name; ASCII case does not matter. */
enum field field_find(struct str name);
const struct field_traits *field_traits(enum field f);

#endif
