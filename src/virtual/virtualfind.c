#include "virtual/virtualfind.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/accounts.h"
#include "sys/io.h"
#include "virtual/virtualhome.h"
#include "wire/wire.h"

/* For a database on a file server that does not answer. */
#define PATIENCE_SECONDS 30

void virtual_recipient_free(struct virtual_recipient *r)
{
	buf_free(&r->address);
	buf_free(&r->instructions);
}

/* ---- the table -------------------------------------------------------------------- */

/* The address in the table that a recipient stands for. True: its domain has no accounts. */
static bool table_address(struct str local, struct str host, struct buf *address)
{
	bool prefixed = local.n > host.n && str_istarts(local, host) && local.p[host.n] == '-';

	buf_add(address, prefixed ? str_from(local, host.n + 1) : local);
	buf_addc(address, '@');
	buf_add(address, host);
	return prefixed;
}

static void add_forwards(struct virtual_recipient *r, struct str targets, struct str self)
{
	struct str target;

	while (str_next_line(&targets, &target)) {
		if (r->mailbox && str_ieq(target, self))
			continue;
		if (r->mailbox && r->instructions.n == 0)
			buf_addz(&r->instructions, "./Maildir/\n");
		buf_addc(&r->instructions, '&');
		buf_add(&r->instructions, target);
		buf_addc(&r->instructions, '\n');
	}
}

/* One address, as it stands. */
static enum owner_status look_up(struct mailboxdb *db, struct str address, struct virtual_recipient *r, struct err *e)
{
	struct mailbox m = MAILBOX_INIT;
	struct buf targets = BUF_INIT(MAILBOXDB_TARGETS_MAX);
	enum owner_status status = OWNER_TEMPORARY;

	r->mailbox = mailboxdb_mailbox(db, address, &m, e);
	if ((r->mailbox || e->kind == ERR_NONE) && mailboxdb_targets(db, address, &targets, e)) {
		status = r->mailbox || targets.n ? OWNER_FOUND : OWNER_NONE;
		buf_add(&r->address, buf_str(&m.address));
		r->quota = (struct maildir_quota){ m.quota_bytes, m.quota_messages };
		r->overquota = m.overquota;
		add_forwards(r, buf_str(&targets), address);
	}
	mailbox_free(&m);
	buf_free(&targets);
	return status;
}

enum owner_status virtualfind(struct mailboxdb *db, struct str local, struct str host, struct virtual_recipient *r,
			      struct err *e)
{
	struct buf address = BUF_INIT(OWNER_TEXT_MAX);
	bool prefixed = table_address(local, host, &address);
	enum owner_status status = OWNER_NONE;

	virtual_recipient_free(r);
	*r = VIRTUAL_RECIPIENT_INIT;
	if (buf_ok(&address))
		status = look_up(db, buf_str(&address), r, e);
	if (status == OWNER_NONE && prefixed)
		status = look_up(db, str_from(buf_str(&address), str_rchr(buf_str(&address), '@')), r, e);
	buf_free(&address);
	if (!buf_ok(&r->instructions) || !buf_ok(&r->address)) {
		err_temp(e, "too many or too long targets");
		return OWNER_TEMPORARY;
	}
	return status;
}

bool virtualfind_present(void)
{
	return access(MAILBOXDB_PATH, F_OK) == 0;
}

/* ---- between the processes -------------------------------------------------------- */

static void put_answer(struct buf *b, enum owner_status status, const struct virtual_recipient *r, const char *error)
{
	wire_put_u8(b, (uint8_t)status);
	wire_put_str(b, str_of(error));
	wire_put_u8(b, r->mailbox);
	wire_put_str(b, buf_str(&r->address));
	wire_put_str(b, buf_str(&r->instructions));
	wire_put_u64(b, r->quota.bytes);
	wire_put_u64(b, r->quota.messages);
	wire_put_u8(b, (uint8_t)r->overquota);
}

static enum owner_status get_answer(struct str packet, struct virtual_recipient *r, struct err *e)
{
	struct wire_reader w = wire_reader(packet);
	enum owner_status status = (enum owner_status)wire_get_u8(&w);
	struct str error = wire_get_str(&w, sizeof e->text);

	if (error.n)
		err_temp(e, "%.*s", STR_ARG(error));
	r->mailbox = wire_get_u8(&w);
	buf_add(&r->address, wire_get_str(&w, OWNER_TEXT_MAX));
	buf_add(&r->instructions, wire_get_str(&w, VIRTUALFIND_TEXT_MAX));
	r->quota.bytes = wire_get_u64(&w);
	r->quota.messages = wire_get_u64(&w);
	r->overquota = (enum overquota)wire_get_u8(&w);
	if (wire_end(&w) && r->overquota <= OVERQUOTA_BOUNCE && (status == OWNER_FOUND || status == OWNER_NONE))
		return status;
	if (error.n == 0)
		err_temp(e, "the table of mailboxes did not answer");
	return OWNER_TEMPORARY;
}

static _Noreturn void search(bool root, struct str local, struct str host, uid_t uid, gid_t gid, int to)
{
	struct virtual_recipient r = VIRTUAL_RECIPIENT_INIT;
	struct buf answer = BUF_INIT(2 * VIRTUALFIND_TEXT_MAX);
	enum owner_status status = OWNER_TEMPORARY;
	struct mailboxdb *db = NULL;
	struct err e = { .text = "" };

	alarm(PATIENCE_SECONDS);
	if (!root || accounts_become(uid, gid, &e))
		db = mailboxdb_open(MAILBOXDB_PATH, MAILBOXDB_READ, &e);
	if (db)
		status = virtualfind(db, local, host, &r, &e);
	put_answer(&answer, status, &r, status == OWNER_TEMPORARY ? e.text : "");
	_exit(io_write_all(to, answer.p, answer.n) == -1);
}

enum owner_status virtualfind_ask(bool root, struct str local, struct str host, struct virtual_recipient *r, uid_t *uid,
				  gid_t *gid, struct err *e)
{
	struct buf answer = BUF_INIT(2 * VIRTUALFIND_TEXT_MAX);
	enum owner_status status;
	pid_t child;
	int ends[2];

	if (!virtualhome_owner(uid, gid, e))
		return OWNER_TEMPORARY;
	if (io_pipe(ends) == -1) {
		err_sys(e, errno, "unable to make a pipe");
		return OWNER_TEMPORARY;
	}
	child = fork();
	if (child == 0)
		search(root, local, host, *uid, *gid, ends[1]);
	close(ends[1]);
	err_temp(e, "unable to fork");
	if (child != -1)
		io_read_rest(ends[0], &answer);
	close(ends[0]);
	while (child != -1 && waitpid(child, NULL, 0) == -1 && errno == EINTR)
		;
	status = child == -1 ? OWNER_TEMPORARY : get_answer(buf_str(&answer), r, e);
	buf_free(&answer);
	return status;
}
