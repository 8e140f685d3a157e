/*
 * mailboxdb: the table of mailboxes that belong to no system account: an
 * SQLite database, users/mailboxes.sqlite in the home.
 *
 *   mailbox  address, password (a hash of crypt(3), or NULL: no login),
 *            secret (the password itself, for APOP; or NULL),
 *            quota_bytes, quota_messages (0: no limit),
 *            overquota ('defer', 'bounce', or NULL: as control/overquota says)
 *   alias    address, target; one row for each target. The address "@domain"
 *            stands for all addresses of the domain that have no row.
 *
 * Addresses are whole ("ann@example.org"); the case of ASCII letters does not
 * matter. An address may have a mailbox and aliases: then mail goes to all.
 * The layout is public: other programs may read and write the database.
 */
#ifndef VIRTUAL_MAILBOXDB_H
#define VIRTUAL_MAILBOXDB_H

#include "base/buf.h"
#include "base/err.h"

#define MAILBOXDB_PATH "users/mailboxes.sqlite"
#define MAILBOXDB_ADDRESS_MAX 900
#define MAILBOXDB_TARGETS_MAX (4u << 20)

struct mailboxdb;

enum mailboxdb_mode {
	MAILBOXDB_READ, /* nothing is ever written; the database must exist */
	MAILBOXDB_WRITE,
	MAILBOXDB_CREATE, /* made where it does not exist, readable for its owner only */
};

/* NULL: e says why. It waits a few seconds for others that write. */
struct mailboxdb *mailboxdb_open(const char *path, enum mailboxdb_mode mode, struct err *e);
/* NULL is allowed. */
void mailboxdb_close(struct mailboxdb *db);

enum overquota { OVERQUOTA_UNSET, OVERQUOTA_DEFER, OVERQUOTA_BOUNCE };

struct mailbox {
	struct buf address;  /* as it is in the table */
	struct buf password; /* empty: none */
	struct buf secret;
	uint64_t quota_bytes, quota_messages;
	enum overquota overquota;
};

#define MAILBOX_INIT \
	((struct mailbox){ .address = BUF_INIT(4096), .password = BUF_INIT(4096), .secret = BUF_INIT(4096) })

void mailbox_free(struct mailbox *m);

/* False with e->kind ERR_NONE: there is no such mailbox. Replaces *m. */
bool mailboxdb_mailbox(struct mailboxdb *db, struct str address, struct mailbox *m, struct err *e);

/* Appends the targets of an address, each with a line feed behind it. */
bool mailboxdb_targets(struct mailboxdb *db, struct str address, struct buf *targets, struct err *e);

/* Calls each for all mailboxes of a domain, or all, by address. */
bool mailboxdb_mailboxes(struct mailboxdb *db, struct str domain, void (*each)(void *ctx, const struct mailbox *m),
			 void *ctx, struct err *e);
bool mailboxdb_aliases(struct mailboxdb *db, struct str domain,
		       void (*each)(void *ctx, struct str address, struct str target), void *ctx, struct err *e);

/* Calls each for every domain that there is, by name and in lower case. */
bool mailboxdb_domains(struct mailboxdb *db, void (*each)(void *ctx, struct str domain), void *ctx, struct err *e);

/*
 * Changes. Each is durable when it returns true, and none of it happened when
 * it returns false. Whoever changes what is not there gets a permanent error.
 */
bool mailboxdb_add(struct mailboxdb *db, const struct mailbox *m, struct err *e);
bool mailboxdb_remove(struct mailboxdb *db, struct str address, struct err *e);
bool mailboxdb_set_password(struct mailboxdb *db, struct str address, struct str hash, struct str secret,
			    struct err *e);
bool mailboxdb_set_quota(struct mailboxdb *db, const struct mailbox *m, struct err *e);
bool mailboxdb_add_alias(struct mailboxdb *db, struct str address, struct str target, struct err *e);
/* Without target: all of the address. */
bool mailboxdb_remove_alias(struct mailboxdb *db, struct str address, struct str target, struct err *e);

/*
 * Can this be a mailbox's address? One '@', a name on both sides, visible
 * bytes (UTF-8 is allowed). False: e says what is wrong.
 */
bool mailboxdb_check_address(struct str address, struct err *e);

#endif
