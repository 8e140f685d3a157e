#include "qmail-rspawn/job.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "qmail-rspawn/peer.h"
#include "qmail-rspawn/wrapper.h"
#include "sys/file.h"

#define NO_CONNECTION "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n"
#define TRIED_MAX 2000 /* bytes about addresses that failed */
#define TRIED_ENOUGH 1400
#define TRIED_LINE 200
#define MEASURE_MAX (64u << 20)
#define NO_RESOURCES "System resources temporarily unavailable. (#4.3.0)\n"

static void link_job(struct job *j)
{
	j->next = j->r->first_job;
	if (j->next)
		j->next->prev = j;
	j->r->first_job = j;
}

static void unlink_job(struct job *j)
{
	if (j->prev)
		j->prev->next = j->next;
	else
		j->r->first_job = j->next;
	if (j->next)
		j->next->prev = j->prev;
}

void job_free(struct job *j)
{
	unlink_job(j);
	if (j->question)
		dns_client_cancel(j->r->dns, j->question);
	wrapper_free(j->wrapper);
	transaction_free(&j->transaction);
	free(j->rest);
	free(j->index);
	buf_free(&j->tried);
	buf_free(&j->server);
	destination_free(&j->destination);
	settings_drop(j->settings);
	close(j->message);
	sender_release(j->sender);
	free(j->packet);
	free(j);
}

void job_end(struct job *j)
{
	struct rspawn *r = j->r;

	job_free(j);
	rspawn_job_ended(r);
}

void job_report(struct job *j, uint32_t recipient, char letter, struct str text)
{
	uint32_t asked = j->index ? j->index[recipient] : recipient;
	uint8_t flags = j->about_destination | (j->transaction.wishes_told ? DELIVERY_REPORTS : 0);
	struct delivery_result result = { j->request.id, asked, letter, text, flags };

	sender_result(j->sender, &result);
}

static void report_all(struct job *j, char letter, struct str text)
{
	for (uint32_t i = 0; i < j->transaction.nrecipients; i++)
		job_report(j, i, letter, text);
	job_end(j);
}

/* A line about the address that was tried last. */
static void note_tried(struct job *j, struct str why)
{
	const struct destination *d = &j->destination;
	struct str name = destination_name(d, j->address);
	char address[PEERADDRESS_TEXT_MAX];

	if (j->tried.n > TRIED_ENOUGH)
		return;
	peeraddress_text(&d->addresses[j->address], address);
	buf_addz(&j->tried, "Tried ");
	if (!str_ieq(name, str_of(address))) {
		buf_add(&j->tried, name);
		buf_addf(&j->tried, " (%s): ", address);
	} else {
		buf_addf(&j->tried, "%s: ", address);
	}
	for (size_t i = 0; i < why.n && i < TRIED_LINE; i++)
		buf_addc(&j->tried, why.p[i] == '\n' ? ' ' : why.p[i]);
	buf_addz(&j->tried, ".\n");
}

/* The transaction has the words of the server that was tried last. */
static void note_server(struct job *j)
{
	struct str name = destination_name(&j->destination, j->address);
	char address[PEERADDRESS_TEXT_MAX];

	peeraddress_text(&j->destination.addresses[j->address], address);
	buf_clear(&j->server);
	if (!str_ieq(name, str_of(address)))
		buf_add(&j->server, name);
}

/* When the connection ended, if that is what happened. */
static void add_stage(const struct job *j, const char *end, struct buf *text)
{
	const struct transaction *t = &j->transaction;

	if (t->lost_before)
		buf_addf(text, "%s before %s%s", t->late ? "Time was up" : "It hung up", t->lost_before, end);
}

/* It says them to nobody if another server answers. */
static void note_said(struct job *j)
{
	struct buf said = BUF_INIT(TRANSACTION_TEXT_MAX + TRIED_LINE);

	buf_add(&said, buf_str(&j->transaction.message.text));
	add_stage(j, "", &said);
	j->said_at = j->tried.n;
	note_tried(j, str_trim_end(buf_str(&said)));
	j->said_n = j->tried.n - j->said_at;
	buf_free(&said);
}

/* Behind the words of a server: which one that is, and what became of the others. */
static void add_story(const struct job *j, struct buf *text)
{
	if (j->server.n) {
		buf_addz(text, "The server is ");
		buf_add(text, buf_str(&j->server));
		buf_addz(text, ".\n");
	}
	add_stage(j, ".\n", text);
	buf_add(text, str_head(buf_str(&j->tried), j->said_at));
	buf_add(text, str_from(buf_str(&j->tried), j->said_at + j->said_n));
}

/* `all`: also for recipients that are left for another transaction. */
static void report_recipients(struct job *j, bool all)
{
	struct buf text = BUF_INIT(2 * TRANSACTION_TEXT_MAX + 2 * TRIED_MAX);

	for (uint32_t i = 0; i < j->transaction.nrecipients; i++) {
		char letter;

		if (!all && j->transaction.rcpt[i].letter == 0)
			continue;
		buf_clear(&text);
		letter = transaction_result(&j->transaction, i, &text);
		if (letter != 'K')
			add_story(j, &text);
		job_report(j, i, letter, buf_str(&text));
	}
	buf_free(&text);
}

static void report_transaction(struct job *j)
{
	if (j->transaction.message.letter == 'Z')
		j->about_destination |= DELIVERY_BUSY;
	report_recipients(j, true);
	job_end(j);
}

static void set_size(struct job *j)
{
	j->transaction.wire_size = j->wire_size;
	j->transaction.exact = j->exact;
	j->transaction.partial = j->partial;
}

static void init_transaction(struct job *j, const struct str *recipients, size_t n)
{
	transaction_init(&j->transaction, j->request.sender, recipients, n);
	j->transaction.eightbit = (j->request.flags & DELIVERY_8BIT) != 0;
	j->transaction.smtputf8 = (j->request.flags & DELIVERY_SMTPUTF8) != 0;
	j->transaction.may_split = true;
	set_size(j);
	if (!(j->request.flags & DELIVERY_WISHES))
		return;
	j->wishes = (struct transaction_wishes){
		.ret = j->request.ret,
		.envid = j->request.envid,
		.notify = j->request.notify,
		.orcpt = j->request.orcpts,
		.index = j->index,
	};
	j->transaction.wishes = &j->wishes;
}

/* The message once more, for those that were too many. */
static void keep_the_rest(struct job *j)
{
	size_t left = transaction_left(&j->transaction), n = 0;
	struct str *rest = mem_array(NULL, left, sizeof *rest);
	uint32_t *index = mem_array(NULL, left, sizeof *index);

	for (uint32_t i = 0; i < j->transaction.nrecipients; i++) {
		if (j->transaction.rcpt[i].letter)
			continue;
		rest[n] = j->transaction.recipients[i];
		index[n++] = j->index ? j->index[i] : i;
	}
	transaction_free(&j->transaction);
	free(j->rest);
	free(j->index);
	j->rest = rest;
	j->index = index;
	init_transaction(j, rest, n);
}

static void report_destination(struct job *j)
{
	struct buf text = BUF_INIT(DELIVERY_REPORT_MAX);

	buf_add(&text, buf_str(&j->destination.text));
	buf_add(&text, buf_str(&j->destination.detail));
	report_all(j, j->destination.letter, buf_str(&text));
	buf_free(&text);
}

static void report_no_source(struct job *j)
{
	struct buf text = BUF_INIT(DELIVERY_REPORT_MAX);

	outidentity_report(j->identity, j->no_source_v6, j->no_source, &text);
	report_all(j, 'Z', buf_str(&text));
	buf_free(&text);
}

static void report_no_connection(struct job *j)
{
	struct buf text = BUF_INIT(DELIVERY_REPORT_MAX);

	buf_addz(&text, NO_CONNECTION);
	buf_add(&text, buf_str(&j->tried));
	report_all(j, 'Z', buf_str(&text));
	buf_free(&text);
}

/* No address is left: the last server's words, if any was reached. */
static void give_up(struct job *j)
{
	bool at_home = j->deferred_by_load || j->no_source || sender_gone(j->sender);

	/* A server that answered what was said of the message was reached. */
	if (j->transaction.replies == 0 && j->destination.letter != 'D' && !at_home)
		j->about_destination = DELIVERY_UNREACHABLE;
	if (j->transaction.message.letter)
		report_transaction(j);
	else if (j->destination.letter)
		report_destination(j);
	else if (j->deferred_by_load)
		report_all(j, 'Z', STR(NO_RESOURCES));
	else if (j->no_source)
		report_no_source(j);
	else
		report_no_connection(j);
}

static void look_up(struct job *j);

/* How much goes over the wire. A large message is not read for that alone: then a lower bound must do. */
static void measure(struct job *j, uint64_t max)
{
	static char piece[65536];
	struct dotstuff d = DOTSTUFF_BARE;
	struct buf none = BUF_INIT(0);
	uint64_t offset = 0, size = 0;

	j->wire_size = j->request.size;
	while (j->request.size <= max && offset < j->request.size) {
		ssize_t n = job_read(j, offset, piece, sizeof piece);

		if (n <= 0)
			return;
		size += dotstuff_measure(&d, (struct str){ piece, (size_t)n });
		offset += (uint64_t)n;
	}
	if (j->request.size <= max) {
		j->wire_size = size;
		j->exact = dotstuff_end(&d, &none);
		j->partial = !j->exact;
	}
	set_size(j);
}

/* Whatever becomes of it, the peer is not to blame when we lack the address that we should come from. */
static enum peer_answer try_address(struct job *j)
{
	const struct peeraddress *a = &j->destination.addresses[j->address];

	if (!outidentity_usable(j->identity, a->v6)) {
		j->no_source = errno;
		j->no_source_v6 = a->v6;
		return PEER_UNFIT;
	}
	if (!destination_policy(&j->destination, &j->settings->s, j->address, &j->policy))
		return PEER_UNFIT;
	/* QMTP cannot do without the exact length. */
	if (j->policy.qmtp && !j->transaction.exact)
		measure(j, UINT64_MAX);
	return peer_take(j->r->peers, a, destination_port(&j->destination, j->address), j);
}

static void try_next(struct job *j)
{
	while (!sender_gone(j->sender) && j->address < j->destination.n) {
		switch (try_address(j)) {
		case PEER_TAKEN:
			return;
		case PEER_NO_RESOURCES:
			j->deferred_by_load = true;
			break;
		case PEER_DEAD:
			note_tried(j, STR("it did not answer lately, and is left out for some minutes"));
			break;
		case PEER_UNFIT:
			break;
		}
		j->address++;
		j->fresh = false;
	}
	if (!sender_gone(j->sender) && destination_next(&j->destination))
		look_up(j);
	else
		give_up(j);
}

void job_unreachable(struct job *j, int error)
{
	note_tried(j, str_of(errno_text(error)));
	j->address++;
	j->fresh = false;
	try_next(j);
}

void job_done(struct job *j, bool reused)
{
	note_server(j);
	j->said_at = j->tried.n;
	j->said_n = 0;
	if (!j->transaction.try_another && transaction_left(&j->transaction)) {
		report_recipients(j, false);
		keep_the_rest(j);
		j->again = true;
		try_next(j);
		return;
	}
	if (!j->transaction.try_another) {
		report_transaction(j);
		return;
	}
	/* A session that was kept may be closed by the server at any time; that says nothing about the server. */
	if (reused && !j->fresh && (j->transaction.accepted == 0 || j->policy.qmtp)) {
		j->fresh = true;
		transaction_restart(&j->transaction);
	} else if ((j->policy.tls == SESSION_TLS_MAY && j->tls_failed) || j->offers_failed) {
		/* The peer remembers that its TLS, or what else it offers, is broken. */
		j->fresh = true;
		j->tls_failed = j->offers_failed = false;
	} else {
		note_said(j);
		/* Who takes connections for QMTP is not tried by SMTP as well. */
		j->address += j->destination.qmtp[j->address] ? 2 : 1;
		j->fresh = false;
	}
	try_next(j);
}

static void on_dns_answer(void *ctx, const struct dns_answer *a)
{
	struct job *j = ctx;

	j->question = 0;
	destination_answer(&j->destination, &j->settings->s, a);
	try_next(j);
}

static void look_up(struct job *j)
{
	j->address = 0;
	if (j->destination.ask)
		j->question = dns_client_ask(j->r->dns, j->destination.ask, j->destination.ask_name, on_dns_answer, j);
	else
		try_next(j);
}

ssize_t job_read(const struct job *j, uint64_t offset, char *to, size_t n)
{
	uint64_t left = j->request.size - offset;
	ssize_t got;

	if (n > left)
		n = (size_t)left;
	if (n == 0)
		return 0;
	got = file_read_at(j->message, to, n, offset);
	/* Content that is shorter than announced is not the whole message. */
	return got == 0 ? -1 : got;
}

void job_start(struct rspawn *r, struct sender *sender, struct str packet, int message)
{
	struct job *j = mem_zero(1, sizeof *j);

	j->r = r;
	j->tried = j->server = BUF_INIT(TRIED_MAX);
	j->sender = sender;
	j->settings = settings_use(r->settings);
	j->packet = mem_copy(packet);
	j->message = message;
	delivery_get_request((struct str){ j->packet, packet.n }, &j->request);
	init_transaction(j, j->request.recipients, j->request.nrecipients);
	link_job(j);
	if (wrapper_program()) {
		wrapper_start(j);
		return;
	}
	measure(j, MEASURE_MAX);
	j->identity = outidentities_find(&j->settings->s.identities, j->request.sender);
	destination_begin(&j->destination, &j->settings->s, j->request.host);
	look_up(j);
}
