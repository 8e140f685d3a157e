/*
 * qmail-remote host sender recip …: sends one message, read from descriptor 0.
 *
 * Arguments, exit code (always 0) and the report on descriptor 1 are qmail's,
 * byte for byte (contract §11). In the mail system itself qmail-rspawn
 * delivers; this command is for scripts and people.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "dns/dnsclient.h"
#include "outbound/destination.h"
#include "qmail-remote/exchange.h"
#include "sys/home.h"
#include "sys/io.h"

static void put_record(struct buf *out, char letter, struct str text)
{
	buf_addc(out, letter);
	buf_add(out, text);
	buf_addc(out, 0);
}

static void __attribute__((noreturn)) finish(const struct buf *out)
{
	io_write_all(1, out->p, out->n);
	_exit(0);
}

static void __attribute__((noreturn)) fail(const char *record)
{
	struct buf out = BUF_INIT(1000);

	put_record(&out, *record, str_of(record + 1));
	finish(&out);
}

static void look_up(struct destination *d, const struct outsettings *s)
{
	struct dns_answer *a;

	if (!d->ask)
		return;
	a = mem_zero(1, sizeof *a);
	dns_query(d->ask, d->ask_name, DNS_TIMEOUT_MS, a);
	destination_answer(d, s, a);
	dns_answer_free(a);
	free(a);
}

/* Each relay in turn, until one gives a verdict. */
static void deliver(struct destination *d, struct outsettings *s, struct transaction *t)
{
	do {
		look_up(d, s);
		if (d->letter == 0 && exchange(s, d, t))
			return;
	} while (destination_next(d));
	if (t->message.letter)
		return;
	if (d->letter)
		transaction_record_set(&t->message, d->letter, buf_str(&d->text));
	else
		transaction_record_set(&t->message, 'Z',
				       STR("Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n"));
}

static void put_transaction(struct buf *out, const struct transaction *t)
{
	for (size_t i = 0; i < t->nrecipients && t->rcpt[i].letter; i++)
		put_record(out, t->rcpt[i].letter, buf_str(&t->rcpt[i].text));
	put_record(out, t->message.letter, buf_str(&t->message.text));
}

int main(int argc, char **argv)
{
	static struct destination d;
	struct buf out = BUF_INIT(SIZE_MAX);
	struct outsettings settings;
	struct str *recipients;
	struct transaction t;
	size_t n;
	struct err e;

	signal(SIGPIPE, SIG_IGN);
	io_open_standard_fds();
	tls_prepare();
	if (argc < 4)
		fail("DI (qmail-remote) was invoked improperly. (#5.3.5)\n");
	if (!home_enter(&e))
		fail("ZUnable to switch to home directory. (#4.3.0)\n");
	if (!outsettings_load(&settings, &e))
		fail("ZUnable to read control files. (#4.3.0)\n");
	destination_begin(&d, &settings, str_of(argv[1]));
	n = (size_t)argc - 3;
	recipients = mem_array(NULL, n, sizeof *recipients);
	for (size_t i = 0; i < n; i++)
		recipients[i] = str_of(argv[3 + i]);
	transaction_init(&t, str_of(argv[2]), recipients, n);
	deliver(&d, &settings, &t);
	put_transaction(&out, &t);
	finish(&out);
}
