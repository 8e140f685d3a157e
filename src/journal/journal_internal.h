/*
 * journal_internal: the state that the journal's modules share. Not for
 * others.
 *
 *   journal.c          opening, staging, bodies
 *   journal_commit.c   writing and syncing
 *   journal_index.c    live messages by number
 *   journal_recover.c  finding the segments and bodies at start
 *   journal_scan.c     reading one segment at start
 *   journal_read.c     envelopes, contents and notes of live messages
 *   journal_answers.c  why recipients are not done yet
 *   journal_compact.c  giving space back, and rewriting an envelope
 *   journal_aside.c    keeping what is damaged
 *   segment.c          segment files
 */
#ifndef JOURNAL_JOURNAL_INTERNAL_H
#define JOURNAL_JOURNAL_INTERNAL_H

#include "base/idtable.h"
#include "journal/journal.h"
#include "journal/record.h"
#include "journal/segment.h"

/* Where a note's text is: a RESULT record. */
struct note {
	struct segment *segment;
	uint32_t offset;
	uint32_t recipient;
	enum journal_result result;
};

/* What happened to a message so far; only messages to which something did have one. */
struct entry_state {
	unsigned char *done;     /* one bit a recipient */
	unsigned char *reported; /* the same; NULL: none is */
	struct note *notes;      /* later than the message record */
	uint32_t nnotes;
};

#define ENTRY_RECIPIENTS_MAX ((1u << 29) - 1) /* each takes eight bytes of a segment at least */

/* There may be millions: what is in it is counted in bytes. */
struct entry {
	uint64_t id;
	int64_t birth, due;
	struct segment *segment; /* of its MESSAGE or MOVED record */
	struct entry_state *state;
	uint32_t offset;
	uint32_t meta_length, content_length;
	uint32_t answers_segment; /* low bits of its number: where the last DEFER with answers is; 0: nowhere */
	uint32_t answers_offset;
	uint32_t nrecipients : 29;
	bool has_body : 1;
	bool meta_notes : 1; /* its record holds notes from before it was moved */
	bool told_late : 1;
};

/* Live messages by number: a struct idtable of struct entry; all zeros is an empty one. */

/* A zeroed entry, not in the index yet: for idtable_add or idtable_drop. */
struct entry *index_new(struct idtable *x);
struct entry *index_find(const struct idtable *x, uint64_t id);
/* Removes and frees it. */
void index_remove(struct idtable *x, struct entry *e);
void index_free(struct idtable *x);

/* Marks a recipient done (out of range: ignored). */
void entry_mark_done(struct entry *e, uint32_t recipient);
/* Those whose bits are set (may be empty). */
void entry_mark_bits(struct entry *e, struct str bits);
bool entry_is_done(const struct entry *e, uint32_t recipient);
void entry_mark_reported(struct entry *e, uint32_t recipient);
bool entry_is_reported(const struct entry *e, uint32_t recipient);
void entry_add_note(struct entry *e, struct note note);
/* As entry_add_note, in the place of the recipient's note if there is one. */
void entry_replace_note(struct entry *e, struct note note);

/* A staged record: its meta and content lie in journal.stage behind room for the header. */
struct staged {
	enum record_type type;
	uint64_t id;
	size_t at; /* of the header, in stage */
	uint32_t meta_length, content_length;
	/* What becomes of it once it is written. */
	uint32_t recipient;         /* RESULT */
	enum journal_result result; /* RESULT */
	bool has_notes;             /* MOVED: there are notes in its meta */
	uint32_t moved_notes;       /* MOVED: how many of the entry's notes went into it */
	bool has_answers;           /* DEFER */
	bool again;                 /* RESULT: written before, to a segment that then failed */
	struct entry *entry;        /* MESSAGE: enters the index when durable */
	struct segment *segment;    /* where it was written */
	uint32_t offset;
};

struct scan;

/* What recovery has still to do. */
struct recovery {
	size_t segments, at; /* how many there were at the start; which of them is being read */
	struct scan *scan;   /* NULL: it has not been begun */
	uint64_t first_new;  /* messages from this number on have come since */
	uint64_t *bodies;    /* that were there at the start, sorted */
	size_t nbodies;
};

struct journal {
	struct journal_options o;
	struct recovery *recovery;  /* NULL: all is read */
	int queuedir, dir, bodydir; /* queue/, queue/journal/, queue/body/ */
	struct segment_list segments;
	struct segment *current; /* the last one, being written; NULL after a failure */
	uint64_t next_segment;
	uint32_t used;   /* bytes of current in use */
	uint32_t synced; /* of these, durable */
	bool spare;      /* a reserve segment waits on disk */
	bool dirty;      /* written and not synced */
	uint64_t next_id;
	struct idtable index;
	struct buf stage;
	struct staged *staged;
	size_t nstaged, staged_room;
	/* What happened to messages that is written and not synced: if the sync fails it is written again. */
	struct buf unsynced;
	struct staged *unsynced_items;
	size_t nunsynced, unsynced_room;
	uint64_t *dead_bodies; /* to be removed after the next sync */
	size_t ndead, dead_room;
	uint64_t live_bytes;
	uint64_t accepted, corrupt;
	/* Messages of the oldest segment that are still to be moved, in the order in which they lie there. */
	struct moving {
		const struct segment *from; /* NULL: none is being emptied */
		uint64_t *ids;
		size_t n, at;
	} moving;
};

/* No zeros are written ahead in the current segment any more: it is to be cut. */
void journal_end_zeros(const struct journal *j);

void journal_warn(const struct journal *j, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Takes e out of its segment's and the journal's counts and out of the index. */
void journal_forget(struct journal *j, struct entry *e);
/* Enters a message found or written at a place. */
struct entry *entry_new(struct idtable *x, uint64_t id, struct segment *s, const struct record *r);
void journal_count_entry(struct journal *j, struct entry *e);
void journal_uncount_entry(struct journal *j, struct entry *e);

/* Fields of a MESSAGE or MOVED record's meta. */
struct message_meta {
	int64_t birth, due;
	uint32_t uid, pid;
	bool has_body;
	uint64_t body_size;
	uint32_t body_crc;
	struct str sender, attributes, recipients;
	uint32_t nrecipients;
	struct str done; /* bits, may be empty */
	uint32_t nnotes;
	struct str notes; /* nnotes × (u32 recipient, str text) */
	/* These are left out at the end when there is nothing to say in them. */
	struct str answers; /* u32 recipient, str text, repeated; from before it was moved */
	bool told_late;
	struct str reportable; /* bits: recipients whose notes are those of deliveries; may be empty */
};

void message_meta_put(struct buf *b, const struct message_meta *m);
bool message_meta_get(struct str meta, struct message_meta *m);

/*
 * Reads and verifies the whole record of e into out. False: unreadable now (temporary), or damaged; then the record
 * is set aside and the message forgotten.
 */
bool journal_load(struct journal *j, struct entry *x, struct buf *out, struct record *r, struct err *e);

/* Reads bytes of a segment, appended to out; false with errno. */
bool journal_read_range(const struct segment *s, uint32_t from, uint64_t length, struct buf *out);

/*
 * Calls each() for the notes in m and those that came later, without those that are reported; false: the text of one
 * could not be read.
 */
bool journal_notes_of(const struct entry *x, const struct message_meta *m, journal_note_each *each, void *ctx);

/* As journal_each_answer, with m of the entry's record. */
/* Where its last DEFER with answers is, or NULL. */
const struct segment *entry_answers(const struct journal *j, const struct entry *x);
typedef void answer_each(void *ctx, uint32_t recipient, struct str text);
void journal_answers_of(struct journal *j, const struct entry *x, const struct message_meta *m, answer_each *each,
			void *ctx);
/* Reads header and meta of the record at a place; false: it is not there in one piece. */
bool journal_read_meta(const struct segment *s, uint32_t offset, struct buf *meta, struct record *r);

/* Counts and reports damage. */
void journal_damage(struct journal *j, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Copies bytes of a segment to queue/corrupt/ and says so; journal_set_aside also counts them as damage. */
void journal_keep_bytes(struct journal *j, const struct segment *s, uint32_t from, uint32_t to, const char *why);
void journal_set_aside(struct journal *j, const struct segment *s, uint32_t from, uint32_t to, const char *why);
/* Moves a file of queue/journal/ to queue/corrupt/. */
bool journal_set_file_aside(struct journal *j, const char *name, const char *why);
/* Moves a body to queue/corrupt/. */
void journal_set_body_aside(struct journal *j, uint64_t id);

/* Reserves room in the stage for a record of the type; meta and content are appended by the caller. */
struct staged *stage_begin(struct journal *j, enum record_type type, uint64_t id);
/* Ends it: the bytes appended up to meta_end are meta, the rest content. */
void stage_end(struct journal *j, struct staged *s, size_t meta_end);

/* Looks at what is there and sees to it that numbers are not given out again; journal_recover_part reads it. */
bool journal_recover(struct journal *j, struct err *e);
void journal_recovery_free(struct journal *j);
/* Makes the names in queue/journal/ durable; says so when that fails. */
bool journal_sync_names(struct journal *j);
/*
 * Finds out how much of a segment was durable, as far as its size and its successor's head (`durable`, or 0) tell. Of
 * the last one all headers are read, for this and for the numbers in it. False: it cannot be read at all.
 */
bool journal_survey(struct journal *j, struct segment *s, uint32_t durable, bool last, struct err *e);

/* Takes in the records of a segment that was surveyed, about `bytes` at a time; false when it is done, and freed. */
struct scan *journal_scan_begin(struct journal *j, struct segment *s);
bool journal_scan_part(struct scan *c, uint64_t bytes);
void journal_scan_free(struct scan *c);

#endif
