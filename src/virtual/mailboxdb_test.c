#include "testing/testplace.h"
#include "virtual/mailboxdb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <sqlite3.h>

struct place {
	char path[96];
	struct mailboxdb *db;
	struct err e;
};

static int make(void **state)
{
	struct place *p = calloc(1, sizeof *p);

	testplace_begin(state);
	snprintf(p->path, sizeof p->path, "%s", testplace_path("db"));
	p->db = mailboxdb_open(p->path, MAILBOXDB_CREATE, &p->e);
	assert_non_null(p->db);
	*state = p;
	return 0;
}

static int drop(void **state)
{
	struct place *p = *state;

	mailboxdb_close(p->db);
	free(p);
	return testplace_end(state);
}

static struct mailbox box(const char *address)
{
	struct mailbox m = MAILBOX_INIT;

	buf_addz(&m.address, address);
	return m;
}

static bool add(struct place *p, const char *address)
{
	struct mailbox m = box(address);
	bool ok = mailboxdb_add(p->db, &m, &p->e);

	mailbox_free(&m);
	return ok;
}

static void mailboxes_are_found_in_any_case(void **state)
{
	struct place *p = *state;
	struct mailbox m = box("Ann@Example.org"), found = MAILBOX_INIT;

	buf_addz(&m.password, "$y$hash");
	m.quota_bytes = 1u << 20;
	m.overquota = OVERQUOTA_BOUNCE;
	assert_true(mailboxdb_add(p->db, &m, &p->e));
	assert_true(mailboxdb_mailbox(p->db, STR("aNN@exaMPLE.ORG"), &found, &p->e));
	assert_string_equal(buf_cstr(&found.address), "Ann@Example.org");
	assert_string_equal(buf_cstr(&found.password), "$y$hash");
	assert_int_equal(found.secret.n, 0);
	assert_int_equal(found.quota_bytes, 1u << 20);
	assert_int_equal(found.quota_messages, 0);
	assert_int_equal(found.overquota, OVERQUOTA_BOUNCE);
	assert_false(mailboxdb_mailbox(p->db, STR("ann@example.or"), &found, &p->e));
	assert_int_equal(p->e.kind, ERR_NONE);
	mailbox_free(&m);
	mailbox_free(&found);
}

static void the_same_mailbox_twice_is_refused(void **state)
{
	struct place *p = *state;

	assert_true(add(p, "ann@a.test"));
	assert_false(add(p, "ANN@a.test"));
	assert_int_equal(p->e.kind, ERR_PERMANENT);
	assert_string_equal(p->e.text, "ANN@a.test exists already");
}

static void changes_of_what_is_not_there_are_errors(void **state)
{
	struct place *p = *state;
	struct mailbox m = box("no@a.test");

	assert_false(mailboxdb_remove(p->db, STR("no@a.test"), &p->e));
	assert_string_equal(p->e.text, "there is no no@a.test");
	assert_false(mailboxdb_set_password(p->db, STR("no@a.test"), STR("x"), STR(""), &p->e));
	assert_false(mailboxdb_set_quota(p->db, &m, &p->e));
	assert_false(mailboxdb_remove_alias(p->db, STR("no@a.test"), STR(""), &p->e));
	assert_int_equal(p->e.kind, ERR_PERMANENT);
	mailbox_free(&m);
}

static void passwords_and_quotas_change(void **state)
{
	struct place *p = *state;
	struct mailbox m = box("ann@a.test"), found = MAILBOX_INIT;

	assert_true(add(p, "ann@a.test"));
	m.quota_messages = 7;
	m.overquota = OVERQUOTA_DEFER;
	assert_true(mailboxdb_set_quota(p->db, &m, &p->e));
	assert_true(mailboxdb_set_password(p->db, STR("ann@a.test"), STR("hash"), STR("secret"), &p->e));
	assert_true(mailboxdb_mailbox(p->db, STR("ann@a.test"), &found, &p->e));
	assert_string_equal(buf_cstr(&found.password), "hash");
	assert_string_equal(buf_cstr(&found.secret), "secret");
	assert_int_equal(found.quota_messages, 7);
	assert_int_equal(found.overquota, OVERQUOTA_DEFER);
	assert_true(mailboxdb_remove(p->db, STR("ann@a.test"), &p->e));
	assert_false(mailboxdb_mailbox(p->db, STR("ann@a.test"), &found, &p->e));
	mailbox_free(&m);
	mailbox_free(&found);
}

/* Other programs may write the table, and mail must not bounce for what they wrote. */
static void a_row_that_is_too_long_is_there(void **state)
{
	struct place *p = *state;
	struct mailbox m = box("ann@example.org"), found = MAILBOX_INIT;

	m.secret.limit = 5000;
	for (int i = 0; i < 5000; i++)
		buf_addc(&m.secret, 'x');
	assert_true(mailboxdb_add(p->db, &m, &p->e));
	assert_false(mailboxdb_mailbox(p->db, STR("ann@example.org"), &found, &p->e));
	assert_int_equal(p->e.kind, ERR_TEMPORARY);
	mailbox_free(&m);
	mailbox_free(&found);
}

static void aliases_have_any_number_of_targets(void **state)
{
	struct place *p = *state;
	struct buf targets = BUF_INIT(4096);

	assert_true(mailboxdb_add_alias(p->db, STR("info@a.test"), STR("bob@a.test"), &p->e));
	assert_true(mailboxdb_add_alias(p->db, STR("info@a.test"), STR("ann@a.test"), &p->e));
	assert_false(mailboxdb_add_alias(p->db, STR("INFO@a.test"), STR("Bob@a.test"), &p->e));
	assert_true(mailboxdb_targets(p->db, STR("Info@A.test"), &targets, &p->e));
	assert_string_equal(buf_cstr(&targets), "ann@a.test\nbob@a.test\n");
	assert_true(mailboxdb_remove_alias(p->db, STR("info@a.test"), STR("ann@a.test"), &p->e));
	buf_clear(&targets);
	assert_true(mailboxdb_targets(p->db, STR("info@a.test"), &targets, &p->e));
	assert_string_equal(buf_cstr(&targets), "bob@a.test\n");
	buf_free(&targets);
}

static void join(void *ctx, const struct mailbox *m)
{
	buf_add(ctx, buf_str(&m->address));
	buf_addc(ctx, ' ');
}

static void join_alias(void *ctx, struct str address, struct str target)
{
	buf_addf(ctx, "%.*s>%.*s ", STR_ARG(address), STR_ARG(target));
}

static void lists_are_of_one_domain_or_all(void **state)
{
	struct place *p = *state;
	struct buf out = BUF_INIT(4096);

	assert_true(add(p, "b@b.test") && add(p, "a@A.test") && add(p, "c@aa.test"));
	assert_true(mailboxdb_add_alias(p->db, STR("@a.test"), STR("a@a.test"), &p->e));
	assert_true(mailboxdb_mailboxes(p->db, STR(""), join, &out, &p->e));
	assert_string_equal(buf_cstr(&out), "a@A.test b@b.test c@aa.test ");
	buf_clear(&out);
	assert_true(mailboxdb_mailboxes(p->db, STR("a.TEST"), join, &out, &p->e));
	assert_true(mailboxdb_aliases(p->db, STR("a.test"), join_alias, &out, &p->e));
	assert_string_equal(buf_cstr(&out), "a@A.test @a.test>a@a.test ");
	buf_free(&out);
}

static void join_domain(void *ctx, struct str domain)
{
	buf_addf(ctx, "%.*s ", STR_ARG(domain));
}

static void domains_are_listed_once(void **state)
{
	struct place *p = *state;
	struct buf out = BUF_INIT(4096);

	assert_true(add(p, "b@b.test") && add(p, "a@A.test") && add(p, "c@a.test"));
	assert_true(mailboxdb_add_alias(p->db, STR("@c.test"), STR("a@a.test"), &p->e));
	assert_true(mailboxdb_add_alias(p->db, STR("x@B.test"), STR("a@a.test"), &p->e));
	assert_true(mailboxdb_domains(p->db, join_domain, &out, &p->e));
	assert_string_equal(buf_cstr(&out), "a.test b.test c.test ");
	buf_free(&out);
}

static void readers_cannot_write_and_need_a_table(void **state)
{
	struct place *p = *state;
	struct mailboxdb *db = mailboxdb_open(p->path, MAILBOXDB_READ, &p->e);
	struct mailbox m = box("x@a.test");

	assert_non_null(db);
	assert_false(mailboxdb_add(db, &m, &p->e));
	mailboxdb_close(db);
	mailbox_free(&m);
	assert_null(mailboxdb_open("none", MAILBOXDB_READ, &p->e));
	assert_int_equal(p->e.kind, ERR_TEMPORARY);
	assert_int_equal(access("none", F_OK), -1);
}

static void passwords_are_for_the_owner_only(void **state)
{
	struct place *p = *state;
	struct stat st;

	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_mode & 077, 0);
}

/* What the header says about how it is written: 2 means a write-ahead log. */
static int write_version(const char *path)
{
	char header[20] = "";
	FILE *f = fopen(path, "r");

	assert_int_equal(fread(header, 1, sizeof header, f), sizeof header);
	fclose(f);
	return header[18];
}

static void a_write_ahead_log_is_given_up(void **state)
{
	struct place *p = *state;
	sqlite3 *sql;

	mailboxdb_close(p->db);
	assert_int_equal(sqlite3_open(p->path, &sql), SQLITE_OK);
	assert_int_equal(sqlite3_exec(sql, "PRAGMA journal_mode=WAL", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(sql);
	assert_int_equal(write_version(p->path), 2);
	p->db = mailboxdb_open(p->path, MAILBOXDB_WRITE, &p->e);
	assert_non_null(p->db);
	assert_int_equal(write_version(p->path), 1);
}

static void rubbish_is_no_database(void **state)
{
	struct place *p = *state;
	FILE *f;

	mailboxdb_close(p->db);
	p->db = NULL;
	f = fopen(p->path, "w");
	fputs("this is no database, but it is long enough to have a header of one hundred bytes, "
	      "which a database has, and some more text behind it\n",
	      f);
	fclose(f);
	assert_null(mailboxdb_open(p->path, MAILBOXDB_READ, &p->e));
	assert_int_equal(p->e.kind, ERR_TEMPORARY);
}

static void addresses_are_checked(void **state)
{
	static const char *const good[] = { "ann@example.org", "a.b+c@x", "\xc3\xa4@\xc3\xb6.test", "a/b@x" };
	static const char *const bad[] = { "",      "ann",        "@x",     "ann@",      "a@b@c", "a b@x",
					   "a@x y", "a\n@x.test", "a@../x", "a@.hidden", "a@x:y" };
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(mailboxdb_check_address(str_of(good[i]), &e));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(mailboxdb_check_address(str_of(bad[i]), &e));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(mailboxes_are_found_in_any_case),
		TEST(the_same_mailbox_twice_is_refused),
		TEST(changes_of_what_is_not_there_are_errors),
		TEST(passwords_and_quotas_change),
		TEST(a_row_that_is_too_long_is_there),
		TEST(aliases_have_any_number_of_targets),
		TEST(lists_are_of_one_domain_or_all),
		TEST(domains_are_listed_once),
		TEST(readers_cannot_write_and_need_a_table),
		TEST(passwords_are_for_the_owner_only),
		TEST(rubbish_is_no_database),
		TEST(a_write_ahead_log_is_given_up),
		cmocka_unit_test(addresses_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
