#include "virtual/mailboxdb.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define BUSY_MS 5000
#define VERSION 1

struct mailboxdb {
	sqlite3 *sql;
	char *path;
};

static const char schema[] = "CREATE TABLE IF NOT EXISTS mailbox("
			     "address TEXT NOT NULL COLLATE NOCASE PRIMARY KEY, password TEXT, secret TEXT,"
			     "quota_bytes INTEGER NOT NULL DEFAULT 0, quota_messages INTEGER NOT NULL DEFAULT 0,"
			     "overquota TEXT CHECK(overquota IN ('defer','bounce'))) WITHOUT ROWID;"
			     "CREATE TABLE IF NOT EXISTS alias("
			     "address TEXT NOT NULL COLLATE NOCASE, target TEXT NOT NULL COLLATE NOCASE,"
			     "PRIMARY KEY(address, target)) WITHOUT ROWID;"
			     "PRAGMA user_version=1;";

static bool trouble(const struct mailboxdb *db, struct err *e)
{
	return err_temp(e, "%s: %s", db->path, sqlite3_errmsg(db->sql));
}

/* ---- opening ---------------------------------------------------------------------- */

static bool run(struct mailboxdb *db, const char *sql, struct err *e)
{
	return sqlite3_exec(db->sql, sql, NULL, NULL, NULL) == SQLITE_OK || trouble(db, e);
}

static bool check_version(struct mailboxdb *db, struct err *e)
{
	sqlite3_stmt *s = NULL;
	int version = -1;

	if (sqlite3_prepare_v2(db->sql, "PRAGMA user_version", -1, &s, NULL) == SQLITE_OK &&
	    sqlite3_step(s) == SQLITE_ROW)
		version = sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	if (version == -1)
		return trouble(db, e);
	return version == VERSION ||
	       err_temp(e, "%s: version %d of the table of mailboxes is not known here", db->path, version);
}

static bool set_up(struct mailboxdb *db, enum mailboxdb_mode mode, struct err *e)
{
	sqlite3_busy_timeout(db->sql, BUSY_MS);
	/* The database is data: nothing in it may run anything. */
	sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db->sql, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	/* FULL is the default of most builds, not of all. */
	if (mode != MAILBOXDB_READ && !run(db, "PRAGMA synchronous=EXTRA", e))
		return false;
	/* Who only reads cannot read a write-ahead log: others may have asked for one. */
	if (mode != MAILBOXDB_READ && !run(db, "PRAGMA journal_mode=DELETE", e))
		return false;
	if (mode == MAILBOXDB_CREATE && !run(db, "BEGIN IMMEDIATE", e))
		return false;
	if (mode == MAILBOXDB_CREATE && (!run(db, schema, e) || !run(db, "COMMIT", e)))
		return false;
	return check_version(db, e);
}

struct mailboxdb *mailboxdb_open(const char *path, enum mailboxdb_mode mode, struct err *e)
{
	static const int flags[] = {
		[MAILBOXDB_READ] = SQLITE_OPEN_READONLY,
		[MAILBOXDB_WRITE] = SQLITE_OPEN_READWRITE,
		[MAILBOXDB_CREATE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
	};
	struct mailboxdb *db = mem_zero(1, sizeof *db);
	mode_t before = umask(mode == MAILBOXDB_CREATE ? 077 : 022);
	int r;

	db->path = mem_copy(str_of(path));
	r = sqlite3_open_v2(path, &db->sql, flags[mode] | SQLITE_OPEN_NOMUTEX, NULL);
	if (r == SQLITE_OK && set_up(db, mode, e)) {
		umask(before);
		return db;
	}
	umask(before);
	if (r != SQLITE_OK)
		err_temp(e, "unable to open %s: %s", path, db->sql ? sqlite3_errmsg(db->sql) : "out of memory");
	mailboxdb_close(db);
	return NULL;
}

void mailboxdb_close(struct mailboxdb *db)
{
	if (db == NULL)
		return;
	sqlite3_close(db->sql);
	free(db->path);
	free(db);
}

/* ---- statements ------------------------------------------------------------------- */

static sqlite3_stmt *prepare(struct mailboxdb *db, const char *sql, struct err *e)
{
	sqlite3_stmt *s = NULL;

	if (sqlite3_prepare_v2(db->sql, sql, -1, &s, NULL) != SQLITE_OK)
		trouble(db, e);
	return s;
}

/* What is empty is NULL in the table. */
static void bind(sqlite3_stmt *s, int i, struct str value)
{
	if (value.n)
		sqlite3_bind_text64(s, i, value.p, value.n, SQLITE_TRANSIENT, SQLITE_UTF8);
	else
		sqlite3_bind_null(s, i);
}

static struct str column(sqlite3_stmt *s, int i)
{
	const unsigned char *p = sqlite3_column_text(s, i);

	return (struct str){ p ? (const char *)p : "", (size_t)sqlite3_column_bytes(s, i) };
}

/* Ends the statement. *row: there is a row, the caller ends it. */
static bool step(struct mailboxdb *db, sqlite3_stmt *s, bool *row, struct err *e)
{
	int r = sqlite3_step(s);

	*row = r == SQLITE_ROW;
	if (*row)
		return true;
	if (r != SQLITE_DONE)
		trouble(db, e);
	sqlite3_finalize(s);
	return r == SQLITE_DONE;
}

/* ---- reading ---------------------------------------------------------------------- */

void mailbox_free(struct mailbox *m)
{
	buf_free(&m->address);
	buf_free(&m->password);
	buf_free(&m->secret);
}

static uint64_t limit_of(sqlite3_stmt *s, int i)
{
	int64_t v = sqlite3_column_int64(s, i);

	return v > 0 ? (uint64_t)v : 0;
}

static void replace(struct buf *b, struct str value)
{
	buf_clear(b);
	buf_add(b, value);
}

#define COLUMNS "address, password, secret, quota_bytes, quota_messages, overquota"

static void take_mailbox(sqlite3_stmt *s, struct mailbox *m)
{
	struct str policy = column(s, 5);

	replace(&m->address, column(s, 0));
	replace(&m->password, column(s, 1));
	replace(&m->secret, column(s, 2));
	m->quota_bytes = limit_of(s, 3);
	m->quota_messages = limit_of(s, 4);
	m->overquota = str_eq(policy, STR("defer"))    ? OVERQUOTA_DEFER
		       : str_eq(policy, STR("bounce")) ? OVERQUOTA_BOUNCE
						       : OVERQUOTA_UNSET;
}

bool mailboxdb_mailbox(struct mailboxdb *db, struct str address, struct mailbox *m, struct err *e)
{
	sqlite3_stmt *s = prepare(db, "SELECT " COLUMNS " FROM mailbox WHERE address=?", e);
	bool row;

	if (s == NULL)
		return false;
	bind(s, 1, address);
	if (!step(db, s, &row, e))
		return false;
	e->kind = ERR_NONE;
	if (!row)
		return false;
	take_mailbox(s, m);
	sqlite3_finalize(s);
	/* A row that is too long is one that somebody wrote wrongly, and no reason to say that there is none. */
	return (buf_ok(&m->address) && buf_ok(&m->password) && buf_ok(&m->secret)) ||
	       err_temp(e, "%s: the row of %.*s is too long", db->path, STR_ARG(str_head(address, 200)));
}

bool mailboxdb_targets(struct mailboxdb *db, struct str address, struct buf *targets, struct err *e)
{
	sqlite3_stmt *s = prepare(db, "SELECT target FROM alias WHERE address=? ORDER BY target", e);
	bool row;

	if (s == NULL)
		return false;
	bind(s, 1, address);
	for (;;) {
		if (!step(db, s, &row, e))
			return false;
		if (!row)
			break;
		buf_add(targets, column(s, 0));
		buf_addc(targets, '\n');
	}
	return buf_ok(targets) || err_temp(e, "%.*s has too many targets", STR_ARG(address));
}

/* The rows of a domain, or of all. */
static sqlite3_stmt *list(struct mailboxdb *db, const char *sql, struct str domain, struct err *e)
{
	sqlite3_stmt *s = prepare(db, sql, e);

	if (s)
		bind(s, 1, domain);
	return s;
}

#define OF_DOMAIN " WHERE ?1 IS NULL OR lower(substr(address, instr(address, '@') + 1)) = lower(?1) ORDER BY address"

bool mailboxdb_mailboxes(struct mailboxdb *db, struct str domain, void (*each)(void *ctx, const struct mailbox *m),
			 void *ctx, struct err *e)
{
	sqlite3_stmt *s = list(db, "SELECT " COLUMNS " FROM mailbox" OF_DOMAIN, domain, e);
	struct mailbox m = MAILBOX_INIT;
	bool row = true, ok = s != NULL;

	while (ok && row) {
		ok = step(db, s, &row, e);
		if (!ok || !row)
			break;
		take_mailbox(s, &m);
		each(ctx, &m);
	}
	mailbox_free(&m);
	return ok;
}

bool mailboxdb_aliases(struct mailboxdb *db, struct str domain,
		       void (*each)(void *ctx, struct str address, struct str target), void *ctx, struct err *e)
{
	sqlite3_stmt *s = list(db, "SELECT address, target FROM alias" OF_DOMAIN ", target", domain, e);
	bool row = true, ok = s != NULL;

	while (ok && row) {
		ok = step(db, s, &row, e);
		if (ok && row)
			each(ctx, column(s, 0), column(s, 1));
	}
	return ok;
}

bool mailboxdb_domains(struct mailboxdb *db, void (*each)(void *ctx, struct str domain), void *ctx, struct err *e)
{
	sqlite3_stmt *s = prepare(db,
				  "SELECT lower(substr(address, instr(address, '@') + 1)) FROM mailbox UNION "
				  "SELECT lower(substr(address, instr(address, '@') + 1)) FROM alias ORDER BY 1",
				  e);
	bool row = true, ok = s != NULL;

	while (ok && row) {
		ok = step(db, s, &row, e);
		if (ok && row)
			each(ctx, column(s, 0));
	}
	return ok;
}

/* ---- changing --------------------------------------------------------------------- */

/* Runs one statement that changes rows; *changed gets their number. */
static bool change(struct mailboxdb *db, sqlite3_stmt *s, int *changed, struct err *e)
{
	bool row, ok = step(db, s, &row, e);

	if (ok && row)
		sqlite3_finalize(s);
	*changed = ok ? sqlite3_changes(db->sql) : 0;
	return ok;
}

static bool change_existing(struct mailboxdb *db, sqlite3_stmt *s, struct str what, struct err *e)
{
	int changed;

	if (!change(db, s, &changed, e))
		return false;
	return changed > 0 || err_perm(e, "there is no %.*s", STR_ARG(what));
}

static const char *policy_name(enum overquota o)
{
	return o == OVERQUOTA_DEFER ? "defer" : o == OVERQUOTA_BOUNCE ? "bounce" : NULL;
}

static void bind_quota(sqlite3_stmt *s, int i, const struct mailbox *m)
{
	sqlite3_bind_int64(s, i, (int64_t)m->quota_bytes);
	sqlite3_bind_int64(s, i + 1, (int64_t)m->quota_messages);
	bind(s, i + 2, str_of(policy_name(m->overquota)));
}

bool mailboxdb_add(struct mailboxdb *db, const struct mailbox *m, struct err *e)
{
	sqlite3_stmt *s = prepare(db, "INSERT OR IGNORE INTO mailbox(" COLUMNS ") VALUES(?,?,?,?,?,?)", e);
	int changed;

	if (s == NULL)
		return false;
	bind(s, 1, buf_str(&m->address));
	bind(s, 2, buf_str(&m->password));
	bind(s, 3, buf_str(&m->secret));
	bind_quota(s, 4, m);
	if (!change(db, s, &changed, e))
		return false;
	return changed == 1 || err_perm(e, "%.*s exists already", STR_ARG(buf_str(&m->address)));
}

bool mailboxdb_remove(struct mailboxdb *db, struct str address, struct err *e)
{
	sqlite3_stmt *s = prepare(db, "DELETE FROM mailbox WHERE address=?", e);

	if (s == NULL)
		return false;
	bind(s, 1, address);
	return change_existing(db, s, address, e);
}

bool mailboxdb_set_password(struct mailboxdb *db, struct str address, struct str hash, struct str secret, struct err *e)
{
	sqlite3_stmt *s = prepare(db, "UPDATE mailbox SET password=?, secret=? WHERE address=?", e);

	if (s == NULL)
		return false;
	bind(s, 1, hash);
	bind(s, 2, secret);
	bind(s, 3, address);
	return change_existing(db, s, address, e);
}

bool mailboxdb_set_quota(struct mailboxdb *db, const struct mailbox *m, struct err *e)
{
	sqlite3_stmt *s =
	    prepare(db, "UPDATE mailbox SET quota_bytes=?, quota_messages=?, overquota=? WHERE address=?", e);

	if (s == NULL)
		return false;
	bind_quota(s, 1, m);
	bind(s, 4, buf_str(&m->address));
	return change_existing(db, s, buf_str(&m->address), e);
}

bool mailboxdb_add_alias(struct mailboxdb *db, struct str address, struct str target, struct err *e)
{
	sqlite3_stmt *s = prepare(db, "INSERT OR IGNORE INTO alias VALUES(?,?)", e);
	int changed;

	if (s == NULL)
		return false;
	bind(s, 1, address);
	bind(s, 2, target);
	if (!change(db, s, &changed, e))
		return false;
	return changed == 1 || err_perm(e, "%.*s goes to %.*s already", STR_ARG(address), STR_ARG(target));
}

bool mailboxdb_remove_alias(struct mailboxdb *db, struct str address, struct str target, struct err *e)
{
	sqlite3_stmt *s = prepare(db, "DELETE FROM alias WHERE address=? AND (?2 IS NULL OR target=?2)", e);

	if (s == NULL)
		return false;
	bind(s, 1, address);
	bind(s, 2, target);
	return change_existing(db, s, address, e);
}

/* ---- addresses -------------------------------------------------------------------- */

bool mailboxdb_check_address(struct str address, struct err *e)
{
	size_t at = str_chr(address, '@');
	struct str domain = str_from(address, at + 1);

	if (at == address.n || at == 0 || domain.n == 0)
		return err_perm(e, "%.*s is no address; say it like ann@example.org", STR_ARG(str_head(address, 200)));
	if (address.n > MAILBOXDB_ADDRESS_MAX)
		return err_perm(e, "an address may have %d bytes", MAILBOXDB_ADDRESS_MAX);
	if (str_chr(domain, '@') < domain.n || str_chr(domain, '/') < domain.n || str_has_control(address) ||
	    str_chr(address, ' ') < address.n || str_chr(domain, ':') < domain.n || domain.p[0] == '.')
		return err_perm(e, "%.*s: a blank, a control byte, or a sign that no domain has",
				STR_ARG(str_head(address, 200)));
	return true;
}
