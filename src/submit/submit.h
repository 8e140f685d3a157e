/*
 * submit: putting a message into the queue; the client side of qmail-queue
 * and of qmail-journal (contract §6).
 *
 * With $QMAILQUEUE set (and use_environment true), that program is run with
 * the message on its descriptor 0 and the envelope on 1, as qmail does, so
 * that scanners see everything. Otherwise the message goes over run/journal
 * straight to qmail-journal, which learns from the kernel who is calling.
 * While the mail system is down, root and the queue's owner can still submit:
 * a qmail-journal of their own takes the message.
 * home_open comes first.
 *
 * For each message: submit_begin; submit_data as often as needed (the content
 * without the Received line that the queue adds); submit_sender and
 * submit_recipient at any time between; then submit_commit, or submit_cancel.
 * Failures on the way are kept and reported by submit_commit, which is the
 * only place where a message can come into being.
 */
#ifndef SUBMIT_SUBMIT_H
#define SUBMIT_SUBMIT_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "submit/messageid.h"
#include "wire/attribute.h"

#define SUBMIT_REASON_MAX 32000
#define SUBMIT_ADDRESS_MAX 1002 /* longer addresses: status 11 */

struct submit {
	int fd;         /* to qmail-journal, kept over messages; -1 */
	struct buf out; /* frames not yet sent */
	pid_t pid;      /* of the $QMAILQUEUE program, 0 without */
	int message_fd, envelope_fd, error_fd;
	struct buf envelope;
	int status;  /* first failure as a qmail-queue exit code, 0 */
	bool active; /* between begin and commit or cancel */
	struct messageid messageid;
	bool sender_given;
	bool watched;
	uint32_t nrecipients;
};

#define SUBMIT_INIT ((struct submit){ .fd = -1, .message_fd = -1, .envelope_fd = -1, .error_fd = -1 })

struct submit_result {
	int status;       /* qmail-queue exit code (contract §5.3); 0 accepted */
	char letter;      /* K accepted, D refused for good, Z try again */
	char text[256];   /* "qq timeout (#4.3.0)": contract §6.2, without the letter */
	pid_t qp;         /* the number to show as qp */
	uint64_t message; /* the message number, where known; else 0 */
};

/* False: nothing could be started (e says why); nothing needs to be undone. */
bool submit_begin(struct submit *s, bool use_environment, struct err *e);
void submit_data(struct submit *s, struct str data);
void submit_attribute(struct submit *s, enum message_attribute which, struct str value);
/* Addresses with CR, LF, NUL or longer than SUBMIT_ADDRESS_MAX make the commit fail with status 11. */
void submit_sender(struct submit *s, struct str address);
void submit_recipient(struct submit *s, struct str address);

/*
 * For root and the queue's owner, before anything else of the message: it comes from another queue, with its time of
 * arrival, next attempt (QUEUE_HELD: held) and submitter, and gets no Received line. submit_done: the recipient given
 * last has it, or has failed for the reason in text.
 */
void submit_past(struct submit *s, int64_t birth, int64_t due, uint32_t uid, uint32_t pid);
void submit_done(struct submit *s, bool failed, struct str text);
/* For notifications (mail/dsn.h), of the message or the recipient given last; what is not given is left out. */
void submit_dsn(struct submit *s, uint8_t ret, struct str envid);
void submit_recipient_dsn(struct submit *s, uint8_t notify, struct str orcpt);

/*
 * Is a message that this process takes from its caller the caller's own? Not
 * when the environment says that it is run for a message on its way: by
 * qmail-local, or by an SMTP session whose client may not relay.
 */
bool submit_is_new(void);

/*
 * submit_watch, before submit_commit, and submit_events after it: each() is told what becomes of the message (letter as
 * in the EVENT frame of wire/queueproto.h; E ends it), until every recipient has been tried or `seconds` have passed.
 * Has no effect where a $QMAILQUEUE program takes the message.
 */
void submit_watch(struct submit *s);
void submit_events(struct submit *s, void (*each)(char letter, struct str address, struct str text), unsigned seconds);

/* Ends the message; true when it is in the queue for good. r is always filled. */
bool submit_commit(struct submit *s, struct submit_result *r);
/* Gives the message up; nothing of it stays. Harmless when none was begun. */
void submit_cancel(struct submit *s);
/* Closes the connection to qmail-journal and frees memory. */
void submit_close(struct submit *s);

/* Letter and text (contract §6.2) for an exit code of a qmail-queue. text begins with the letter. */
const char *submit_status_text(int status);

#endif
