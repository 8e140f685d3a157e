/*
 * rblsmtpd [ options ] PROGRAM…: asks DNS lists about $TCPREMOTEIP; becomes
 * the program, or refuses the client's mail (contract-companions §1.4).
 *
 * Options act in their order: each list is asked when its option is read, and
 * the first decision is final. $RBLSMTPD decides before all of them.
 *
 * Beyond the old rblsmtpd: IPv6 clients; -s, with which lists have weights; no
 * list is asked unless it is named; a list that answers "Error: …" says
 * nothing about the client.
 */
#include <stdlib.h>
#include <unistd.h>

#include "filter/chain.h"
#include "filter/tool.h"
#include "listener/inetaddr.h"
#include "rblsmtpd/rblsmtpd.h"
#include "sys/io.h"
#include "sys/options.h"
#include "ucspi/stubresolver.h"

#define ME "rblsmtpd"
/* Word for word as the original has it; the manual page has the rest. */
#define ARGUMENTS "[ -b ] [ -R ] [ -t timeout ] [ -r base ] [ -a base ] smtpd [ arg ... ]"

enum decision { UNDECIDED, ACCEPT, REJECT_NOW, REJECT_FOR_GOOD };

struct rbl {
	enum decision decision;
	struct buf text; /* for the client */
	const char *ip;
	struct inetaddr address;
	bool known;       /* ip is an address */
	bool for_good;    /* -b */
	bool fail_closed; /* -c */
	bool trouble;     /* some list did not answer: nothing is for good */
	uint32_t sum;     /* -s: weights that make a rejection; 0: any list does */
	uint32_t weight;  /* so far */
	uint32_t seconds;
};

static void decide_by_environment(struct rbl *r)
{
	const char *value = getenv("RBLSMTPD");

	if (value == NULL)
		return;
	r->decision = *value == 0 ? ACCEPT : *value == '-' ? REJECT_FOR_GOOD : REJECT_NOW;
	buf_addz(&r->text, value + (*value == '-'));
}

static void ask(const struct rbl *r, enum dns_type type, struct str base, struct dnspacket_set *set)
{
	struct buf name = BUF_INIT(DNS_NAME_MAX);

	inetaddr_add_reversed(&r->address, &name);
	buf_add(&name, base);
	stubresolver_ask(type, buf_str(&name), set);
	buf_free(&name);
}

static void cannot_ask(struct rbl *r, bool accepting)
{
	r->trouble = true;
	if (accepting && !r->fail_closed)
		r->decision = ACCEPT;
	if (accepting || !r->fail_closed)
		return;
	r->decision = REJECT_NOW;
	buf_clear(&r->text);
	buf_addz(&r->text, "temporary RBL lookup error");
}

static void listed(struct rbl *r, struct str text, uint32_t weight)
{
	if (r->weight)
		buf_addz(&r->text, "; ");
	buf_add(&r->text, str_head(text, RBL_TEXT_MAX));
	r->weight = weight > UINT32_MAX - r->weight ? UINT32_MAX : r->weight + weight;
	if (r->weight >= r->sum)
		r->decision = r->for_good ? REJECT_FOR_GOOD : REJECT_NOW;
}

/* "base=weight": without a weight it is 1. */
static void ask_list(struct rbl *r, const char *list)
{
	struct str base, weight;
	struct dnspacket_set set;
	struct buf text = BUF_INIT(DNS_TEXT_MAX);
	bool weighted = str_cut(str_of(list), '=', &base, &weight);

	if (r->decision != UNDECIDED || !r->known)
		return;
	ask(r, DNS_TXT, base, &set);
	for (size_t i = 0; set.outcome == DNS_FOUND && i < set.n; i++)
		buf_add(&text, set.records[i].data);
	if (set.outcome == DNS_TEMPORARY || str_starts(buf_str(&text), STR("Error:")))
		cannot_ask(r, false);
	else if (text.n)
		listed(r, buf_str(&text), weighted ? (uint32_t)options_number(weight.p, UINT32_MAX) : 1);
	buf_free(&text);
	dnspacket_set_free(&set);
}

static void ask_friends(struct rbl *r, const char *base)
{
	struct dnspacket_set set;

	if (r->decision != UNDECIDED || !r->known)
		return;
	ask(r, DNS_A, str_of(base), &set);
	if (set.outcome == DNS_TEMPORARY)
		cannot_ask(r, true);
	else if (set.outcome == DNS_FOUND)
		r->decision = ACCEPT;
	dnspacket_set_free(&set);
}

static bool option(struct rbl *r, int c, const char *value)
{
	switch (c) {
	case 'b':
	case 'B':
		r->for_good = c == 'b';
		return true;
	case 'c':
	case 'C':
		r->fail_closed = c == 'c';
		return true;
	case 't':
		r->seconds = (uint32_t)options_number(value, UINT32_MAX);
		return true;
	case 's':
		r->sum = (uint32_t)options_number(value, UINT32_MAX);
		return true;
	case 'r':
		ask_list(r, value);
		return true;
	case 'a':
		ask_friends(r, value);
		return true;
	}
	return false;
}

/* "451 text" or "553 text" in visible characters. */
static void reply(const struct rbl *r, struct buf *out)
{
	struct str text = str_head(buf_str(&r->text), RBL_TEXT_MAX);

	buf_addz(out, r->decision == REJECT_NOW || r->trouble ? "451 " : "553 ");
	for (size_t i = 0; i < text.n; i++)
		buf_addc(out, text.p[i] < 32 || text.p[i] > 126 ? '?' : text.p[i]);
}

static _Noreturn void reject(const struct rbl *r)
{
	struct buf out = BUF_INIT(RBL_TEXT_MAX + 10), line = BUF_INIT(2000);

	reply(r, &out);
	buf_addz(&line, ME ": ");
	buf_add_visible(&line, str_head(str_of(r->ip), 100));
	buf_addf(&line, " pid %ld: ", (long)getpid());
	buf_add(&line, buf_str(&out));
	buf_addc(&line, '\n');
	io_write_all(2, line.p, line.n);
	rejection(buf_str(&out), r->seconds);
}

int main(int argc, char **argv)
{
	struct rbl r = { .text = BUF_INIT(1u << 20), .seconds = 60, .ip = getenv("TCPREMOTEIP") };

	if (r.ip == NULL)
		r.ip = "";
	r.known = inetaddr_parse_ip(str_of(r.ip), &r.address);
	/* Other servers may say it like that; lists have it under IPv4. */
	inetaddr_unmap(&r.address);
	decide_by_environment(&r);
	for (int c; (c = options_next(argc, argv, "bBcCt:r:a:s:")) != -1;)
		if (!option(&r, c, optarg))
			tool_usage(ME, ARGUMENTS);
	if (optind >= argc)
		tool_usage(ME, ARGUMENTS);
	if (r.decision >= REJECT_NOW)
		reject(&r);
	chain_run(ME, argv + optind, NULL);
}
