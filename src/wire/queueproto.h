/*
 * queueproto: what qmail-journal and its clients say to each other.
 *
 * On run/journal (stream, open to everybody) a client submits messages as
 * frames: u32 length of what follows, u8 type, payload.
 *
 *   frame                 payload           when
 *   SENDER                address           once
 *   RECIPIENT             address           any number
 *   ATTRIBUTE             u8 which, value   any number
 *   RECIPIENT_ATTRIBUTE   u8 which, value   after a RECIPIENT
 *   PAST                  u64 birth,        first; only from root and the queue's owner: the message comes
 *                         u64 due, u32 uid, from another queue, and gets no Received line
 *                         u32 pid
 *   DONE                  u8 failed, str    after a RECIPIENT; only with PAST
 *                         text
 *   WATCH                 -                 before COMMIT: tell me what becomes of the message
 *   DATA                  content           any number, at most FRAME_MAX each
 *   COMMIT / ABORT        -                 ends the message
 *
 * Each COMMIT is answered by one REPLY frame: u8 status (a qmail-queue exit
 * code, 0 is a promise), u64 message number. After WATCH, EVENT frames follow it: u8 letter (K, D or Z as for
 * RESULT; E: the message has left the queue, and no more follow), u32 recipient, str address, str text.
 * Closing the connection aborts.
 *
 * On run/queue (packets, for qmail-send's user and root) the scheduler and
 * the tools for operators talk to the journal; see queue_packet below. Every
 * packet begins with a u8 type.
 */
#ifndef WIRE_QUEUEPROTO_H
#define WIRE_QUEUEPROTO_H

#include "wire/wire.h"

#define FRAME_MAX 65536 /* payload of one frame */
#define FRAME_HEADER 5  /* u32 length, u8 type */
#define QUEUE_PACKET_MAX 131072
#define QUEUE_ADDRESS_MAX 1002
#define ORDER_TEXT_MAX 2000 /* of an order's words */

/*
 * May this be an envelope address? Not longer than QUEUE_ADDRESS_MAX, and
 * without CR, LF and NUL, which would end a line or a record for somebody
 * after us. Checked where an address is given and again where it is taken.
 */
bool queue_address_acceptable(struct str address);

enum queue_frame {
	FRAME_SENDER = 1,
	FRAME_RECIPIENT,
	FRAME_ATTRIBUTE,
	FRAME_RECIPIENT_ATTRIBUTE,
	FRAME_DATA,
	FRAME_COMMIT,
	FRAME_ABORT,
	FRAME_REPLY,
	FRAME_PAST,
	FRAME_DONE,
	FRAME_WATCH,
	FRAME_EVENT
};

/* Appends a frame's header; the caller appends `length` bytes of payload. */
void frame_begin(struct buf *b, enum queue_frame type, size_t length);
void frame_put(struct buf *b, enum queue_frame type, struct str payload);

/*
 * Takes the first whole frame off *rest. 1: *type and *payload are filled;
 * 0: more bytes are needed; -1: malformed.
 */
int frame_take(struct str *rest, uint8_t *type, struct str *payload);

/*
 *   packet     sender      meaning and fields after the type
 *   MANAGE     scheduler   I schedule from now on (one at a time)
 *   WAITING    journal     u32 n, n × (u64 id, u64 birth, u64 due): these exist
 *   READY      journal     that was all there was when you came
 *   MESSAGE    journal     u64 id, u64 birth, u64 due, u64 size, u32 uid, u32 pid, u32 total recipients,
 *                          u8 flags, str sender, str attributes (u8 which, str value, repeated; only with
 *                          the first recipients), u32 first, u32 n, n × (u8 1: done, 2: attributes follow;
 *                          str address; str attributes);
 *                          with MESSAGE_MORE set further packets bring the next recipients
 *   OPEN       scheduler   u64 id, u8 want (OPEN_ENVELOPE, OPEN_CONTENT, OPEN_ANSWERS)
 *   CONTENT    journal     u64 id, u8 status (0: the content is attached as a descriptor; 1: try later;
 *                          2: there is no such message any more)
 *   RESULT     scheduler   u64 id, u32 recipient, u8 letter (enum result_letter), str text
 *   REPORTED   scheduler   u64 id, u32 n, n × u32 recipient: the sender has been told about them; with n = 0:
 *                          that the message is late
 *   DEFER      scheduler   u64 id, u64 due (QUEUE_HELD: never), str answers (u32 recipient, str text,
 *                          repeated): nothing of it is due before, and why
 *   END        scheduler   u64 id: all recipients are done; forget it
 *   NOTES      scheduler   u64 id: send me what the sender is to be told
 *   NOTE       journal     u64 id, u32 recipient, u8 letter (RESULT_FAILED, RESULT_REPORTABLE), str text
 *   NOTES_END  journal     u64 id
 *   STAT       tool        -
 *   STATUS     journal     u64 live, u64 bytes live, u64 segments, u64 accepted, u64 corrupt, u8 refusing
 *   LIST       tool        u8 want (OPEN_ENVELOPE, OPEN_ANSWERS): answered for each message by MESSAGE
 *                          packets, and ANSWERs if they are wanted; then READY
 *   ANSWER     journal     u64 id, u32 recipient, u8 letter (D: a failure; Z: why it is not done yet),
 *                          str text
 *   ORDER      tool        u32 ticket, u64 id, u8 order, str one, str two (see enum queue_order)
 *   ORDER      journal     the same, to the scheduler, with another ticket, and u32 uid of who gave it
 *                          behind it
 *   ORDERED    both        u32 ticket, u8 status (enum order_status), str text: what came of it; comes
 *                          to the tool when it is durable
 *   EDIT       scheduler   u32 ticket, u64 id, u32 recipient (or QUEUE_SENDER), str address
 */
enum queue_packet {
	PACKET_MANAGE = 1,
	PACKET_WAITING,
	PACKET_READY,
	PACKET_MESSAGE,
	PACKET_OPEN,
	PACKET_CONTENT,
	PACKET_RESULT,
	PACKET_DEFER,
	PACKET_END,
	PACKET_NOTES,
	PACKET_NOTE,
	PACKET_NOTES_END,
	PACKET_STAT,
	PACKET_STATUS,
	PACKET_LIST,
	PACKET_ANSWER,
	PACKET_ORDER,
	PACKET_ORDERED,
	PACKET_EDIT,
	PACKET_REPORTED
};

/* Of one recipient. */
enum result_letter {
	RESULT_DELIVERED = 'K',
	RESULT_FAILED = 'D',     /* the text is kept until the sender is told */
	RESULT_REPORTABLE = 'R', /* delivered, and the same */
};

#define REPORTED_MAX 20000 /* recipients in one packet */

#define OPEN_ENVELOPE 1u
#define OPEN_CONTENT 2u
#define OPEN_ANSWERS 4u

#define QUEUE_HELD ((uint64_t)INT64_MAX)
#define QUEUE_SENDER UINT32_MAX

/* What an operator can want of a message. */
enum queue_order {
	ORDER_HOLD = 1,  /* nothing is tried until it is released */
	ORDER_RELEASE,   /* no longer held, and tried now */
	ORDER_RETRY,     /* everything that waits is tried now */
	ORDER_REMOVE,    /* forget it; nobody is told */
	ORDER_BOUNCE,    /* give up what is open; `one`: the reason for the sender, may be empty */
	ORDER_REQUEUE,   /* route what is open again, by the control files as they are now */
	ORDER_SENDER,    /* `one`: the new sender */
	ORDER_RECIPIENT, /* `one`: an open recipient as it was given; `two`: the address to use instead */
	ORDER_REREAD,    /* of no message (id 0): read the control files again, as after SIGHUP */
	ORDER_LAST = ORDER_REREAD
};

enum order_status {
	ORDER_OK = 0,
	ORDER_NONE = 1,    /* there is no such message, or it ends just now */
	ORDER_BUSY = 2,    /* not while a delivery of it runs */
	ORDER_REFUSED = 3, /* never; the text says why */
	ORDER_FAILED = 4   /* not now; the text says why */
};

/* What both who carry out orders say. */
#define ORDER_NO_MESSAGE "there is no such message"
#define ORDER_NO_RECIPIENT "it has no such recipient, or that is done"
#define ORDER_NO_ADDRESS "that cannot be an address"
#define ORDER_NOT_HELD "it is not held"
#define ORDER_IS_HELD "it is held; release it first"
/* Appends what the sender is told of a message that was given up by ORDER_BOUNCE. */
void queue_put_returned(struct buf *b, struct str reason);

struct order_packet {
	uint32_t ticket;
	uint64_t id;
	uint8_t order;
	struct str one, two;
	uint32_t uid; /* only from the journal */
};

#define MESSAGE_MORE 1u /* another packet of this message follows */
#define MESSAGE_8BIT 2u
#define MESSAGE_SMTPUTF8 4u
#define MESSAGE_FAILED 8u      /* the sender has to be told of a failure */
#define MESSAGE_REPORTABLE 16u /* of a delivery */
#define MESSAGE_TOLD_LATE 32u  /* the sender knows that it is late */
#define MESSAGE_SUBMITTED 64u  /* by a user of ours */

/* One MESSAGE packet without its recipients, which follow in the reader. */
struct message_packet {
	uint64_t id, birth, due, size;
	uint32_t uid, pid;
	uint32_t total; /* recipients of the message */
	uint8_t flags;
	struct str sender;
	struct str attributes; /* encoded; empty in later packets of a message */
	uint32_t first;        /* index of the first recipient in this packet */
	uint32_t count;        /* recipients in this packet */
};

/* Everything up to the recipients; the caller adds `count` times queue_put_recipient. */
void queue_put_message(struct buf *b, const struct message_packet *m);
void queue_put_recipient(struct buf *b, bool done, struct str address, struct str attributes);

/* r stands behind the type byte; afterwards on the first recipient. False: malformed. */
bool queue_get_message(struct wire_reader *r, struct message_packet *m);
bool queue_get_recipient(struct wire_reader *r, bool *done, struct str *address);
bool queue_get_recipient_all(struct wire_reader *r, bool *done, struct str *address, struct str *attributes);

/* The value of an attribute in an encoded list, or the empty view. */
struct str queue_attribute(struct str attributes, uint8_t which);

/* with_uid: as from the journal. */
void queue_put_order(struct buf *b, const struct order_packet *o, bool with_uid);
/* r stands behind the type byte. False: malformed. */
bool queue_get_order(struct wire_reader *r, struct order_packet *o, bool with_uid);
void queue_put_ordered(struct buf *b, uint32_t ticket, enum order_status status, struct str text);
bool queue_get_ordered(struct wire_reader *r, uint32_t *ticket, uint8_t *status, struct str *text);

#endif
