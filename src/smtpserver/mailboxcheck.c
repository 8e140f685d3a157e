#include "smtpserver/mailboxcheck.h"

#include <errno.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/home.h"
#include "sys/unixsock.h"
#include "wire/recipientproto.h"

void mailbox_check_close(struct mailbox_check *c)
{
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
}

static bool connected(struct mailbox_check *c, struct err *e)
{
	return c->fd != -1 ||
	       unixsock_connect_within(home_dir(), "run/recipient", UNIXSOCK_PACKET, MAILBOX_CHECK_MS, &c->fd, e);
}

static bool send_question(struct mailbox_check *c, struct str address)
{
	const struct recipient_question q = { ++c->id, address };
	struct buf packet = BUF_INIT(RECIPIENT_PACKET_MAX);
	bool sent;

	recipient_put_question(&packet, &q);
	sent = unixsock_send(c->fd, buf_str(&packet), -1) == 0;
	buf_free(&packet);
	return sent;
}

static bool receive_answer(struct mailbox_check *c, struct recipient_finding *found)
{
	struct buf packet = BUF_INIT(RECIPIENT_PACKET_MAX);
	struct recipient_reply reply = { .id = 0 };
	int passfd = -1;
	ssize_t n;
	bool ok;

	do
		n = unixsock_recv(c->fd, &packet, RECIPIENT_PACKET_MAX, &passfd);
	while (n == -1 && errno == EINTR);
	if (passfd != -1)
		close(passfd);
	ok = n > 0 && recipient_get_reply(buf_str(&packet), &reply) && reply.id == c->id;
	if (n == 0)
		errno = ECONNRESET;
	else if (n > 0 && !ok)
		errno = EPROTO;
	*found = reply.found;
	buf_free(&packet);
	return ok;
}

/* An idle connection may have been closed from the other side, so a second attempt gets a new one. */
static bool ask(struct mailbox_check *c, struct str address, struct recipient_finding *found, struct err *e)
{
	bool again = c->fd != -1;

	for (;; again = false) {
		int problem;

		if (!connected(c, e))
			return false;
		if (send_question(c, address) && receive_answer(c, found))
			return true;
		problem = errno;
		mailbox_check_close(c);
		if (!again || (problem != ECONNRESET && problem != EPIPE))
			return err_sys(e, problem, "qmail-lspawn does not say whether recipients exist");
	}
}

static enum smtp_mailbox judge(const struct recipient_finding *f, uint64_t bytes)
{
	if (f->answer == RECIPIENT_ABSENT)
		return SMTP_MAILBOX_ABSENT;
	return f->room < (bytes ? bytes : 1) ? SMTP_MAILBOX_FULL : SMTP_MAILBOX_TAKES;
}

static enum smtp_mailbox ask_about(struct mailbox_check *c, struct str address, uint64_t bytes, struct err *e)
{
	struct recipient_finding found = { RECIPIENT_UNKNOWN, RECIPIENT_ROOM_ANY };
	struct err trouble;

	if (address.n > RECIPIENT_ADDRESS_MAX || clock_monotonic_ms() < c->pause)
		return SMTP_MAILBOX_TAKES;
	if (ask(c, address, &found, &trouble))
		return judge(&found, bytes);
	c->pause = clock_monotonic_ms() + MAILBOX_CHECK_PAUSE_MS;
	if (!c->complained)
		*e = trouble;
	c->complained = true;
	return SMTP_MAILBOX_TAKES;
}

enum smtp_mailbox mailbox_look(struct mailbox_check *c, const struct route_tables *routes, struct str recipient,
			       uint64_t bytes, struct err *e)
{
	struct buf address = BUF_INIT(SIZE_MAX);
	enum smtp_mailbox found = SMTP_MAILBOX_TAKES;

	e->kind = ERR_NONE;
	if (route_address(routes, recipient, &address).channel == ROUTE_LOCAL)
		found = ask_about(c, buf_str(&address), bytes, e);
	buf_free(&address);
	return found;
}
