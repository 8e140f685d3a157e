/* quill_dns: quill dns NAME [TYPE]: DNS as the mail system sees it. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "dns/dnsclient.h"
#include "dns/dnsreverse.h"
#include "idn/idn.h"
#include "quill/quill.h"
#include "sys/home.h"

static const struct {
	const char *name;
	enum dns_type type;
} types[] = {
	{ "mail", DNS_MAIL }, { "mx", DNS_MX },   { "host", DNS_HOST }, { "a", DNS_A },
	{ "aaaa", DNS_AAAA }, { "txt", DNS_TXT }, { "ptr", DNS_PTR },   { "tlsa", DNS_TLSA },
};

static const struct {
	const char *words;
	int exit_code;
} outcomes[] = {
	[DNS_FOUND] = { "found", 0 },
	[DNS_NO_NAME] = { "there is no such name", 100 },
	[DNS_NO_DATA] = { "the name has no such records", 100 },
	[DNS_TEMPORARY] = { "not known now", 111 },
	[DNS_NULL_MX] = { "takes no mail (null MX)", 100 },
	[DNS_BAD_MX] = { "no usable mail exchanger", 111 },
	[DNS_DEAD_MX] = { "no mail exchanger has an address", 100 },
};

static const char *const securities[] = { [DNS_INSECURE] = "insecure", [DNS_BOGUS] = "bogus", [DNS_SECURE] = "secure" };

/* As in a zone file: what is not visible, and what has a meaning between quotes, is escaped. */
static void print_text(struct str text)
{
	putchar('"');
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 32 || c > 126)
			printf("\\%03u", c);
		else
			putchar(c);
	}
	putchar('"');
}

/* Names and words, on one line whatever they hold. */
static void print_clean(struct str text)
{
	for (size_t i = 0; i < text.n; i++)
		putchar(text.p[i] < 32 || text.p[i] > 126 ? '?' : text.p[i]);
}

static void print_tlsa(struct str data)
{
	for (size_t i = 0; i < data.n; i++)
		printf(i < 3 ? "%u " : "%02x", (unsigned char)data.p[i]);
}

static void print_record(const struct dns_record *r)
{
	char address[INET6_ADDRSTRLEN];

	switch (r->type) {
	case DNS_MX:
		printf("MX %u ", r->preference);
		print_clean(r->name);
		break;
	case DNS_PTR:
		printf("PTR ");
		print_clean(r->name);
		break;
	case DNS_TXT:
		printf("TXT ");
		print_text(r->data);
		break;
	case DNS_TLSA:
		printf("TLSA ");
		print_tlsa(r->data);
		break;
	default:
		if (inet_ntop(r->type == DNS_A ? AF_INET : AF_INET6, r->data.p, address, sizeof address))
			printf("%s %s", r->type == DNS_A ? "A" : "AAAA", address);
		break;
	}
}

static void print_records(const struct dns_answer *a, bool mail)
{
	for (uint32_t i = 0; i < a->n; i++) {
		const struct dns_record *r = &a->records[i];

		/* Addresses stand below the exchanger that they belong to. */
		fputs(mail && r->type != DNS_MX ? "    " : "  ", stdout);
		print_record(r);
		printf(", %s", securities[r->security]);
		if (r->type == DNS_MX && r->outcome == DNS_BAD_MX)
			fputs(": an IP address in place of a name", stdout);
		else if (r->type == DNS_MX && r->outcome != DNS_FOUND)
			printf(": %s", outcomes[r->outcome].words);
		putchar('\n');
	}
}

static int print_answer(struct str name, enum dns_type type, const struct dns_answer *a)
{
	print_clean(name);
	printf(": %s, %s", outcomes[a->outcome].words, securities[a->security]);
	if (a->why.n) {
		fputs(": ", stdout);
		print_clean(a->why);
	}
	putchar('\n');
	print_records(a, type == DNS_MAIL);
	if (a->cut)
		printf("there are more records than the %d that are used\n", DNS_SET_MAX);
	if (a->outcome == DNS_FOUND)
		printf("may be kept for %u seconds\n", a->ttl);
	if (a->source.n) {
		fputs("from ", stdout);
		print_clean(a->source);
		putchar('\n');
	}
	return outcomes[a->outcome].exit_code;
}

/* What to ask for: the name, its ASCII form, or the reverse of an address. False: said why. */
static bool translate(const char *text, enum dns_type type, struct buf *name)
{
	unsigned char ip[16];
	bool v6 = inet_pton(AF_INET6, text, ip) == 1;

	if (type == DNS_PTR && (v6 || inet_pton(AF_INET, text, ip) == 1)) {
		dns_add_reversed(ip, v6, name);
		buf_addz(name, v6 ? "ip6.arpa" : "in-addr.arpa");
	} else if (!idn_needed(str_of(text))) {
		buf_add(name, str_of(text));
	} else if (!idn_to_ascii(name, str_of(text))) {
		quill_fail(100, "%s cannot be a domain name", text);
		return false;
	}
	return true;
}

static bool find_type(const char *text, enum dns_type *type)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strcasecmp(text, types[i].name) == 0) {
			*type = types[i].type;
			return true;
		}
	quill_fail(100, "the mail system does not ask for %s: choose mail, mx, host, a, aaaa, txt, ptr or tlsa", text);
	return false;
}

static int ask(const char *text, enum dns_type type)
{
	struct dns_answer *a = mem_zero(1, sizeof *a);
	struct buf name = BUF_INIT(DNS_NAME_MAX + 100);
	int code = 100;

	if (translate(text, type, &name)) {
		dns_query(type, buf_str(&name), DNS_TIMEOUT_MS, a);
		code = print_answer(buf_str(&name), type, a);
		dns_answer_free(a);
	}
	buf_free(&name);
	free(a);
	return code;
}

int quill_dns(int argc, char **argv)
{
	enum dns_type type = DNS_MAIL;
	struct err e;

	if (argc > 2 && strcmp(argv[0], "-C") == 0) {
		setenv("QMAILHOME", argv[1], 1);
		argc -= 2;
		argv += 2;
	}
	if (argc < 1 || argc > 2)
		return quill_fail(100, "usage: quill dns [-C DIR] NAME [TYPE]");
	if (argc == 2 && !find_type(argv[1], &type))
		return 100;
	if (!home_open(&e))
		return quill_fail(111, "%s", e.text);
	return ask(argv[0], type);
}
