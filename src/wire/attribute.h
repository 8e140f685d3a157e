/*
 * attribute: what a message or a recipient carries besides its addresses.
 *
 * The list is open: a number that a program does not know is kept and passed
 * on unchanged. Numbers are written to disk and never reused.
 */
#ifndef WIRE_ATTRIBUTE_H
#define WIRE_ATTRIBUTE_H

enum message_attribute {
	ATTR_CLIENT_IP = 1,   /* text form of the client's address */
	ATTR_CLIENT_NAME = 2, /* its verified name */
	ATTR_HELO = 3,
	ATTR_PROTOCOL = 4, /* "SMTP", "QMTP", "local" … */
	ATTR_AUTH_USER = 5,
	ATTR_TLS = 6,       /* version and cipher */
	ATTR_BODY_8BIT = 7, /* value empty: BODY=8BITMIME was declared */
	ATTR_SMTPUTF8 = 8,  /* value empty */
	ATTR_DSN_RET = 9,   /* FULL or HDRS */
	ATTR_DSN_ENVID = 10,
	ATTR_REQUIRETLS = 11,
	ATTR_TRACE = 12,      /* trace id */
	ATTR_SUBMISSION = 13, /* value empty: handed in by a user of ours, not passed on for somebody */
	ATTR_MESSAGE_ID = 20, /* of the header field, as far as it fits */
	ATTR_IMPORTED = 21,   /* which message of which classic queue it was */
};

enum recipient_attribute {
	RCPT_ATTR_NOTIFY = 1, /* DSN NOTIFY value */
	RCPT_ATTR_ORCPT = 2,
};

#endif
