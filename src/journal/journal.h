/*
 * journal: the queue on disk (docs/QUEUE.md).
 *
 * A journal is a directory of numbered, append-only segments of checksummed
 * records, and a directory of bodies for large messages. Callers stage any
 * number of records and then commit them all: one write, and one fdatasync
 * when a promise depends on it. Everything that is acknowledged is found
 * again by the next journal_open, whatever happened in between.
 *
 * The library does all its I/O through sys/file.h, which crash tests replace,
 * and never looks at a clock. It is single-threaded except where stated.
 */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include "base/buf.h"
#include "base/err.h"

#define JOURNAL_SEGMENT_DEFAULT (64u << 20)
#define JOURNAL_SEGMENT_MIN (64u << 10)
#define JOURNAL_INLINE_MAX (1u << 20)
#define JOURNAL_NOTE_MAX (32u << 10) /* longer texts of failures are cut */

struct journal;

struct journal_options {
	uint32_t segment_size; /* bytes; 0: JOURNAL_SEGMENT_DEFAULT */
	bool read_only;        /* look, and change nothing on disk */
	/* 0: journal_open reads everything; otherwise bytes that one call of journal_recover_part reads. */
	uint32_t part;
	/* Told of everything unusual, one line each (no LF); may be NULL. */
	void (*warn)(void *ctx, const char *text);
	/*
	 * For somebody who writes zeros ahead of the records, which makes syncs cheaper; both may be NULL.
	 * on_segment: a segment of `size` bytes has been begun; fd (the callee's from now on) leads to it. fd -1: no
	 * more zeros from the return on, the segment is at its end. on_write: bytes before `end` are about to be
	 * written and belong to the journal from now on; the segment's head belongs to it from the start.
	 */
	void (*on_segment)(void *ctx, int fd, uint64_t size);
	void (*on_write)(void *ctx, uint64_t end);
	void *ctx;
};

/*
 * Opens the journal below queuedir (a directory descriptor that must stay
 * open), making what is missing, and recovers: reads the segments in order,
 * cuts torn ends, sets damaged records aside in corrupt/, removes bodies that
 * no message refers to. False: e says what, where and what to do.
 *
 * With `part` it returns as soon as new messages can be taken, and
 * journal_recover_part does the rest.
 */
bool journal_open(int queuedir, const struct journal_options *o, struct journal **out, struct err *e);
void journal_close(struct journal *j);

/*
 * The next part of recovery; true while there is more. Until then the journal is asked for nothing but what new
 * messages need: journal_new_id, journal_has_room, journal_stage_message, journal_commit, bodies, and journal_close.
 */
bool journal_recover_part(struct journal *j);

/* A message as it is staged. Strings are copied by journal_stage_message. */
struct journal_message {
	int64_t birth;
	uint32_t uid, pid; /* who submitted it, from the kernel */
	struct str sender;
	struct str attributes; /* encoded: repeated u8 which, str value */
	struct str recipients; /* encoded: repeated str address, str attributes */
	uint32_t nrecipients;
	struct str head;    /* the Received line; comes before content */
	struct str content; /* everything, unless has_body */
	bool has_body;      /* the content is in the body file of this id (head included) */
	uint64_t body_size;
	uint32_t body_crc; /* crc32c of the body file */
	/* Of a message that comes from another queue: */
	int64_t due;
	struct str done; /* bits, one a recipient; may be empty */
	uint32_t nnotes;
	struct str notes; /* of failures: u32 recipient, str text */
};

/* A number never used before, for a body file or for journal_stage_message. */
uint64_t journal_new_id(struct journal *j);

/*
 * Are new messages welcome? False when the disk has no room beyond what is
 * reserved for results; tries to make room first.
 */
bool journal_has_room(struct journal *j);

/*
 * Stages a message under `id`. False: it does not fit in a segment
 * (permanent) or there is no room (temporary).
 */
bool journal_stage_message(struct journal *j, uint64_t id, const struct journal_message *m, struct err *e);

enum journal_result {
	JOURNAL_DELIVERED,
	JOURNAL_FAILED,     /* its text is kept as a note until it is reported */
	JOURNAL_REPORTABLE, /* delivered, and the same */
};

/* Marks one recipient done. Unknown messages and recipients are ignored, here and below. */
void journal_stage_result(struct journal *j, uint64_t id, uint32_t recipient, enum journal_result result,
			  struct str text);
/* The sender has been told about these recipients: their notes are not needed any more. */
void journal_stage_reported(struct journal *j, uint64_t id, const uint32_t *recipients, uint32_t n);
/* The sender has been told that the message is late. */
void journal_stage_told_late(struct journal *j, uint64_t id);

/* As `due`: never, until somebody says otherwise. */
#define JOURNAL_HELD INT64_MAX

/*
 * Nothing of the message is due before `due`. answers tell why: repeated u32 recipient, str text; may be empty. The
 * last answer for each recipient is kept until it is done.
 */
void journal_stage_defer(struct journal *j, uint64_t id, int64_t due, struct str answers);
void journal_stage_end(struct journal *j, uint64_t id);

/*
 * Writes what is staged; with sync, also makes everything written so far
 * durable. Staged messages exist from a successful synced commit on; after
 * false none of the staged messages exists, or ever will once a later commit
 * has synced, results stay in effect and are written again by it, and the
 * segment is not written to any more.
 */
bool journal_commit(struct journal *j, bool sync, struct err *e);

/* Is there anything written, or staged, that is not yet synced? */
bool journal_dirty(const struct journal *j);

/*
 * Bodies: journal_body_create makes queue/body/<id> and returns a descriptor
 * to append to (close it), or -1 with errno. journal_body_sync makes the file
 * and its name durable and may be called from another thread.
 * journal_body_discard removes it again.
 */
int journal_body_create(struct journal *j, uint64_t id);
int journal_body_sync(const struct journal *j, int fd);
void journal_body_discard(struct journal *j, uint64_t id);

/* What is known of a live message without reading the disk. */
struct journal_info {
	uint64_t id;
	int64_t birth, due; /* due 0: at once; JOURNAL_HELD: never */
};

size_t journal_count(const struct journal *j);
bool journal_info_of(const struct journal *j, uint64_t id, struct journal_info *info);
/* Calls each() for every live message, in no order. */
void journal_each(const struct journal *j, void (*each)(void *ctx, const struct journal_info *info), void *ctx);

/* A message read back. */
struct journal_envelope {
	uint64_t id;
	int64_t birth, due;
	uint32_t uid, pid;
	uint64_t size; /* bytes of content */
	struct str sender;
	struct str attributes; /* encoded as above */
	struct str recipients;
	uint32_t nrecipients;
	bool has_body;
	bool failed;     /* has notes of failures */
	bool reportable; /* has notes of deliveries */
	bool told_late;
	struct str content; /* the whole content, unless has_body */
	uint32_t body_crc;  /* of the body file, as it was accepted */
	struct buf storage; /* what the strings look into; free with buf_free */
};

/* False: no such message, or it cannot be read (it is set aside; e says so). */
bool journal_read_envelope(struct journal *j, uint64_t id, struct journal_envelope *env, struct err *e);
/* As journal_read_envelope, without content; of a large queue this reads only what it must. */
bool journal_read_head(struct journal *j, uint64_t id, struct journal_envelope *env, struct err *e);
/* Is the recipient done? */
bool journal_done(const struct journal *j, uint64_t id, uint32_t recipient);

/* The body file, opened for reading (own file description), or -1 with errno. */
int journal_open_body(const struct journal *j, uint64_t id);

/* Calls each() for every note of the message that is not reported yet, in their order. */
typedef void journal_note_each(void *ctx, uint32_t recipient, enum journal_result result, struct str text);
bool journal_each_note(struct journal *j, uint64_t id, journal_note_each *each, void *ctx, struct err *e);

/* Calls each() for the last answer of every recipient that has one and is not done. What cannot be read is left out. */
void journal_each_answer(struct journal *j, uint64_t id, void (*each)(void *ctx, uint32_t recipient, struct str text),
			 void *ctx);

#define JOURNAL_SENDER UINT32_MAX

/*
 * Stages the message with another sender (recipient: JOURNAL_SENDER) or with another address for one open recipient.
 * Nothing else may be staged. False: there is no such recipient, or it does not fit.
 */
bool journal_stage_edit(struct journal *j, uint64_t id, uint32_t recipient, struct str address, struct err *e);

/*
 * Background work: moves live messages out of the oldest segment when enough
 * of the journal is dead, a bounded piece at each call, and removes segments
 * and bodies that nothing needs. Returns true while there is more to do at
 * once. Commits what it stages.
 */
bool journal_maintain(struct journal *j);

struct journal_stats {
	uint64_t live, live_bytes, segments, accepted, corrupt;
	bool refusing; /* no room for new messages */
};

void journal_stats(const struct journal *j, struct journal_stats *s);

#endif
