/*
 * quill_user: the table of mailboxes that belong to no system account
 * (virtual/mailboxdb.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mailbox/maildirquota.h"
#include "password/passwordhash.h"
#include "quill/quill.h"
#include "quill/quill_domain.h"
#include "quill/quill_password.h"
#include "quill/quill_size.h"
#include "sys/home.h"
#include "virtual/mailboxdb.h"
#include "virtual/virtualhome.h"

#define ACCOUNT "vmail"

static const char usage_text[] =
    "usage: quill user [-C DIR] add ADDRESS [--quota QUOTA] [--overquota defer|bounce] [--apop]\n"
    "       quill user [-C DIR] list [DOMAIN]\n"
    "       quill user [-C DIR] remove ADDRESS\n"
    "       quill user [-C DIR] passwd ADDRESS [--apop]\n"
    "       quill user [-C DIR] quota ADDRESS QUOTA|none [--overquota defer|bounce|default]\n"
    "       quill user [-C DIR] alias add|remove ADDRESS TARGET...\n"
    "\n"
    "QUOTA is bytes, also as 500K, 100M or 2G, and messages as 1000C: 100M,1000C. The alias @DOMAIN gets what no\n"
    "other address of the domain gets. Passwords are asked for, or are one line of standard input.\n";

static int usage(void)
{
	fputs(usage_text, stderr);
	return 100;
}

static int fail(const struct err *e)
{
	return quill_fail(err_exit_code(e), "%s", e->text);
}

/* ---- arguments -------------------------------------------------------------------- */

struct arguments {
	const char *words[64];
	int n;
	const char *quota, *overquota;
	bool apop;
};

static bool take_option(struct arguments *a, int argc, char **argv, int *i)
{
	const char *option = argv[*i];

	if (strcmp(option, "--apop") == 0) {
		a->apop = true;
		return true;
	}
	if (*i + 1 >= argc)
		return false;
	if (strcmp(option, "--quota") == 0)
		a->quota = argv[++*i];
	else if (strcmp(option, "--overquota") == 0)
		a->overquota = argv[++*i];
	else
		return false;
	return true;
}

static bool parse(int argc, char **argv, struct arguments *a)
{
	for (int i = 0; i < argc; i++) {
		if (strncmp(argv[i], "--", 2) == 0) {
			if (!take_option(a, argc, argv, &i))
				return false;
		} else if (a->n < (int)(sizeof a->words / sizeof *a->words)) {
			a->words[a->n++] = argv[i];
		} else {
			return false;
		}
	}
	return true;
}

static bool set_policy(struct mailbox *m, const char *word, struct err *e)
{
	if (word == NULL)
		return true;
	if (strcmp(word, "defer") == 0)
		m->overquota = OVERQUOTA_DEFER;
	else if (strcmp(word, "bounce") == 0)
		m->overquota = OVERQUOTA_BOUNCE;
	else if (strcmp(word, "default") == 0)
		m->overquota = OVERQUOTA_UNSET;
	else
		return err_perm(e, "--overquota is defer, bounce or default, not %.100s", word);
	return true;
}

static bool set_quota(struct mailbox *m, const char *word, struct err *e)
{
	struct maildir_quota q = { 0 };

	if (word == NULL)
		return true;
	if (!quill_size_parse(str_of(word), &q))
		return err_perm(e, "%.100s is no quota; say it like 100M, 100M,1000C or none", word);
	m->quota_bytes = q.bytes;
	m->quota_messages = q.messages;
	return true;
}

/* ---- the places ------------------------------------------------------------------- */

/* The directory that all mailboxes are in; the account that has it is theirs. */
static bool make_root(struct err *e)
{
	const struct passwd *pw = NULL;

	if (access(VIRTUALHOME_ROOT, F_OK) == 0)
		return true;
	if (getuid() == 0 && (pw = getpwnam(ACCOUNT)) == NULL)
		return err_perm(e,
				"there is no account %s for the mailboxes; make it: useradd -r -M -U -d %s/%s -s "
				"/usr/sbin/nologin %s",
				ACCOUNT, home_path(), VIRTUALHOME_ROOT, ACCOUNT);
	if (mkdir(VIRTUALHOME_ROOT, 0700) == -1)
		return err_sys(e, errno, "unable to make %s", VIRTUALHOME_ROOT);
	if (pw && chown(VIRTUALHOME_ROOT, pw->pw_uid, pw->pw_gid) == -1)
		return err_sys(e, errno, "unable to give %s to %s", VIRTUALHOME_ROOT, ACCOUNT);
	return true;
}

/* Deliveries read it as the mailboxes' account; nobody else may see passwords. */
static bool let_deliveries_read(struct err *e)
{
	uid_t uid;
	gid_t gid;

	if (getuid() != 0)
		return true;
	if (!virtualhome_owner(&uid, &gid, e))
		return false;
	if (chown(MAILBOXDB_PATH, 0, gid) == -1 || chmod(MAILBOXDB_PATH, 0640) == -1)
		return err_sys(e, errno, "unable to set the owner of %s", MAILBOXDB_PATH);
	return true;
}

static struct mailboxdb *open_or_make(struct err *e)
{
	bool fresh = access(MAILBOXDB_PATH, F_OK) == -1;
	struct mailboxdb *db;

	if (!make_root(e) ||
	    (mkdir("users", 0755) == -1 && errno != EEXIST && !err_sys(e, errno, "unable to make users")))
		return NULL;
	db = mailboxdb_open(MAILBOXDB_PATH, MAILBOXDB_CREATE, e);
	if (db && fresh && !let_deliveries_read(e)) {
		mailboxdb_close(db);
		db = NULL;
	}
	return db;
}

static struct mailboxdb *open_existing(struct err *e)
{
	if (access(MAILBOXDB_PATH, F_OK) == 0)
		return mailboxdb_open(MAILBOXDB_PATH, MAILBOXDB_WRITE, e);
	err_perm(e, "%s has no mailboxes yet; make one: quill user add ADDRESS", home_path());
	return NULL;
}

/* ---- add, passwd, remove, quota ----------------------------------------------------- */

static bool ask_password(const char *address, bool apop, struct mailbox *m, struct err *e)
{
	struct buf password = BUF_INIT(PASSWORD_MAX + 1);
	bool ok = quill_password_ask(address, &password, e);

	if (ok && password.n)
		ok = password_hash(buf_cstr(&password), &m->password, e);
	else if (ok)
		printf("no password: nobody can log in to %s until there is one (quill user passwd)\n", address);
	if (ok && apop)
		buf_add(&m->secret, buf_str(&password));
	buf_free_secret(&password);
	return ok;
}

static void note_postmaster(struct mailboxdb *db, struct str domain)
{
	struct buf address = BUF_INIT(4096), targets = BUF_INIT(MAILBOXDB_TARGETS_MAX);
	struct mailbox m = MAILBOX_INIT;
	struct err e;

	buf_addf(&address, "postmaster@%.*s", STR_ARG(domain));
	if (!mailboxdb_mailbox(db, buf_str(&address), &m, &e) &&
	    mailboxdb_targets(db, buf_str(&address), &targets, &e) &&
	    mailboxdb_targets(db, str_from(buf_str(&address), strlen("postmaster")), &targets, &e) && targets.n == 0 &&
	    !quill_domain_has_accounts(domain))
		printf("note: every domain needs a postmaster: quill user alias add %s TARGET\n", buf_cstr(&address));
	mailbox_free(&m);
	buf_free(&address);
	buf_free(&targets);
}

static int add(const struct arguments *a)
{
	struct mailbox m = MAILBOX_INIT;
	struct str address, domain;
	struct mailboxdb *db = NULL;
	struct err e;
	bool ok;

	if (a->n != 2)
		return usage();
	buf_add_lower(&m.address, str_of(a->words[1]));
	address = buf_str(&m.address);
	domain = str_from(address, str_chr(address, '@') + 1);
	ok = mailboxdb_check_address(address, &e) && set_quota(&m, a->quota, &e) && set_policy(&m, a->overquota, &e) &&
	     ask_password(a->words[1], a->apop, &m, &e) && (db = open_or_make(&e)) && mailboxdb_add(db, &m, &e) &&
	     quill_domain_add(domain, &e);
	if (ok)
		note_postmaster(db, domain);
	mailboxdb_close(db);
	mailbox_free(&m);
	return ok ? 0 : fail(&e);
}

static int passwd(const struct arguments *a)
{
	struct mailbox m = MAILBOX_INIT, found = MAILBOX_INIT;
	struct mailboxdb *db = NULL;
	struct str address;
	struct err e;
	bool ok;

	if (a->n != 2)
		return usage();
	address = str_of(a->words[1]);
	ok = (db = open_existing(&e)) != NULL;
	if (ok && !mailboxdb_mailbox(db, address, &found, &e))
		ok = e.kind == ERR_NONE ? err_perm(&e, "there is no %.200s", a->words[1]) : false;
	ok = ok && ask_password(a->words[1], a->apop, &m, &e) &&
	     mailboxdb_set_password(db, address, buf_str(&m.password), buf_str(&m.secret), &e);
	mailboxdb_close(db);
	mailbox_free(&m);
	mailbox_free(&found);
	return ok ? 0 : fail(&e);
}

static int remove_mailbox(const struct arguments *a)
{
	struct buf path = BUF_INIT(4096);
	struct mailboxdb *db;
	struct err e;
	bool ok;

	if (a->n != 2)
		return usage();
	db = open_existing(&e);
	ok = db && mailboxdb_remove(db, str_of(a->words[1]), &e);
	mailboxdb_close(db);
	virtualhome_path(&path, str_of(a->words[1]));
	if (ok && access(buf_cstr(&path), F_OK) == 0)
		printf("its mail is still in %s/%s\n", home_path(), buf_cstr(&path));
	buf_free(&path);
	return ok ? 0 : fail(&e);
}

static int quota(const struct arguments *a)
{
	struct mailbox m = MAILBOX_INIT;
	struct mailboxdb *db;
	struct err e;
	bool ok;

	if (a->n != 3)
		return usage();
	db = open_existing(&e);
	ok = db && mailboxdb_mailbox(db, str_of(a->words[1]), &m, &e);
	if (db && !ok && e.kind == ERR_NONE)
		err_perm(&e, "there is no %.200s", a->words[1]);
	ok =
	    ok && set_quota(&m, a->words[2], &e) && set_policy(&m, a->overquota, &e) && mailboxdb_set_quota(db, &m, &e);
	mailboxdb_close(db);
	mailbox_free(&m);
	return ok ? 0 : fail(&e);
}

/* ---- list --------------------------------------------------------------------------- */

static void print_used(const struct mailbox *m)
{
	const struct maildir_quota quota = { m->quota_bytes, m->quota_messages };
	struct buf path = BUF_INIT(4096), text = BUF_INIT(200);
	struct maildirquota q = MAILDIRQUOTA_INIT;
	struct maildirsize size;
	struct err e;

	virtualhome_path(&path, buf_str(&m->address));
	buf_addz(&path, "/Maildir");
	quill_size_format(&text, &quota);
	if (maildirquota_open(buf_cstr(&path), &quota, &q, &e) && q.dir != -1 && maildirquota_read(&q, &size)) {
		const struct maildir_quota used = { (uint64_t)(size.bytes > 0 ? size.bytes : 0),
						    (uint64_t)(size.messages > 0 ? size.messages : 0) };

		buf_addz(&text, ", used ");
		quill_size_format(&text, &used);
	}
	printf("  quota %s", buf_cstr(&text));
	maildirquota_close(&q);
	buf_free(&path);
	buf_free(&text);
}

static void print_mailbox(void *ctx, const struct mailbox *m)
{
	(void)ctx;
	printf("%.*s", STR_ARG(buf_str(&m->address)));
	if (m->quota_bytes || m->quota_messages)
		print_used(m);
	if (m->overquota != OVERQUOTA_UNSET)
		printf("  overquota %s", m->overquota == OVERQUOTA_DEFER ? "defer" : "bounce");
	if (m->password.n == 0)
		printf("  no password");
	putchar('\n');
}

static void print_alias(void *ctx, struct str address, struct str target)
{
	(void)ctx;
	printf("%.*s -> %.*s\n", STR_ARG(address), STR_ARG(target));
}

static int list(const struct arguments *a)
{
	struct str domain = str_of(a->n == 2 ? a->words[1] : NULL);
	struct mailboxdb *db;
	struct err e;
	bool ok;

	if (a->n > 2)
		return usage();
	if (access(MAILBOXDB_PATH, F_OK) == -1 && errno == ENOENT)
		return 0;
	db = mailboxdb_open(MAILBOXDB_PATH, MAILBOXDB_WRITE, &e);
	ok = db && mailboxdb_mailboxes(db, domain, print_mailbox, NULL, &e) &&
	     mailboxdb_aliases(db, domain, print_alias, NULL, &e);
	mailboxdb_close(db);
	return ok ? 0 : fail(&e);
}

/* ---- alias -------------------------------------------------------------------------- */

/* "@example.org" stands for what has no address of its own. */
static bool check_alias(struct str address, struct err *e)
{
	struct str domain = str_from(address, str_chr(address, '@') + 1);
	struct buf whole = BUF_INIT(4096);
	bool catchall = str_starts(address, STR("@")), ok;

	if (catchall)
		buf_addz(&whole, "any");
	buf_add(&whole, address);
	ok = mailboxdb_check_address(buf_str(&whole), e);
	buf_free(&whole);
	if (ok && catchall && quill_domain_has_accounts(domain))
		ok = err_perm(e,
			      "%.*s is in control/locals, where accounts have the other addresses; "
			      "what nobody has goes to alias/.qmail-default",
			      STR_ARG(domain));
	return ok;
}

static bool change_alias(struct mailboxdb *db, bool adding, struct str address, const char *target, struct err *e)
{
	struct buf lower = BUF_INIT(4096);
	bool ok;

	buf_add_lower(&lower, address);
	if (adding)
		ok = mailboxdb_check_address(str_of(target), e) &&
		     mailboxdb_add_alias(db, buf_str(&lower), str_of(target), e);
	else
		ok = mailboxdb_remove_alias(db, buf_str(&lower), str_of(target), e);
	buf_free(&lower);
	return ok;
}

static bool add_domain_of(struct str address, struct err *e)
{
	struct buf lower = BUF_INIT(4096);
	bool ok;

	buf_add_lower(&lower, str_from(address, str_chr(address, '@') + 1));
	ok = quill_domain_add(buf_str(&lower), e);
	buf_free(&lower);
	return ok;
}

static int alias(const struct arguments *a)
{
	bool adding = a->n > 1 && strcmp(a->words[1], "add") == 0, ok;
	struct mailboxdb *db = NULL;
	struct str address;
	struct err e;

	if (a->n < (adding ? 4 : 3) || (!adding && strcmp(a->words[1], "remove") != 0))
		return usage();
	address = str_of(a->words[2]);
	ok = (!adding || check_alias(address, &e)) && (db = adding ? open_or_make(&e) : open_existing(&e)) != NULL;
	for (int i = 3; ok && i < a->n; i++)
		ok = change_alias(db, adding, address, a->words[i], &e);
	if (ok && a->n == 3)
		ok = change_alias(db, false, address, NULL, &e);
	if (ok && adding)
		ok = add_domain_of(address, &e);
	mailboxdb_close(db);
	return ok ? 0 : fail(&e);
}

/* ---- which -------------------------------------------------------------------------- */

int quill_user(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const struct arguments *a);
	} commands[] = { { "add", add },       { "list", list },   { "remove", remove_mailbox },
			 { "passwd", passwd }, { "quota", quota }, { "alias", alias } };
	struct arguments a = { .n = 0 };
	bool elsewhere = argc > 1 && strcmp(argv[0], "-C") == 0;
	int code;

	if (elsewhere)
		setenv("QMAILHOME", argv[1], 1);
	if (!parse(elsewhere ? argc - 2 : argc, elsewhere ? argv + 2 : argv, &a) || a.n == 0)
		return usage();
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strcmp(a.words[0], commands[i].name) == 0) {
			code = quill_choose_home(0, NULL);
			return code ? code : commands[i].run(&a);
		}
	return usage();
}
