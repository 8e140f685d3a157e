/*
 * local: one delivery to a local address, by the rules of the user's .qmail
 * file (contract §10). The caller has become the user already; the working
 * directory and umask change.
 */
#ifndef LOCAL_LOCAL_H
#define LOCAL_LOCAL_H

#include "base/buf.h"
#include "local/program.h"
#include "mailbox/maildirsize.h"

#define LOCAL_ADDRESS_MAX 2048 /* each of the strings below, in bytes */
#define LOCAL_OK 0
#define LOCAL_PERMANENT 100
#define LOCAL_TEMPORARY 111

/* What the sender wants to hear of the message (mail/dsn.h). NULL is the empty string. */
struct local_wishes {
	uint8_t ret, notify;
	const char *envid, *orcpt;
};

struct local_job {
	const char *user, *home;
	const char *local, *dash, *ext; /* contract §10.1 */
	const char *host, *sender;
	struct local_wishes wishes;
	const char *default_delivery; /* .qmail content where there is none */
	const char *instructions;     /* .qmail content that counts whatever files there are, or NULL */
	bool make_maildir;            /* the Maildir in the home is made where it does not exist */
	/* Of the Maildir in the home; NULL: each Maildir has the one in its maildirsize file. */
	const struct maildir_quota *quota;
	bool bounce_full; /* over quota is for good */
	int message_fd;   /* seekable; its position is ours */
	bool describe;    /* say what would be done, do nothing */
	struct program_limits limits;
};

struct local_report {
	struct buf out;  /* for descriptor 1: "did 1+0+0\n" … */
	struct buf err;  /* for descriptor 2: what went wrong */
	bool files_only; /* nothing was done but to write to mailboxes: no other process has been near */
	bool programs;   /* a program has had, or would have, a say */
	uint64_t room;   /* described, with bounce_full: a larger message would bounce */
};

#define LOCAL_OUT_MAX (256u << 20) /* a description repeats the file */
#define LOCAL_REPORT_INIT ((struct local_report){ BUF_INIT(LOCAL_OUT_MAX), BUF_INIT(4096), true, false, UINT64_MAX })

/*
 * Delivers; home_open comes first when the file may have forwards. Returns
 * LOCAL_OK, LOCAL_PERMANENT or LOCAL_TEMPORARY and appends to r what is to be
 * said. Programs write to descriptors 1 and 2 themselves.
 */
int local_deliver(const struct local_job *job, struct local_report *r);

#endif
