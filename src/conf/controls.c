#include "conf/controls.h"

#include <string.h>

/* clang-format off */
static const struct controls_file table[] = {
	/* name, kind, read by,
	 *	without it,
	 *	value in words, before and after */
	{ "badmailfrom", CONTROLS_LIST, "qmail-smtpd",
		"Any MAIL FROM is allowed.",
		"", " not accepted in MAIL FROM.", false },
	{ "bouncefrom", CONTROLS_LINE, "qmail-send",
		"MAILER-DAEMON",
		"Bounce user name is ", ".", false },
	{ "bouncehost", CONTROLS_LINE_OR_ME, "qmail-send",
		"bouncehost",
		"Bounce host name is ", ".", false },
	{ "concurrencylocal", CONTROLS_NUMBER, "qmail-send",
		"10",
		"Local concurrency is ", ".", false },
	{ "concurrencyremote", CONTROLS_NUMBER, "qmail-send",
		"20",
		"Remote concurrency is ", ".", false },
	{ "databytes", CONTROLS_NUMBER, "qmail-smtpd qmail-qmtpd",
		"0",
		"SMTP DATA limit is ", " bytes.", false },
	{ "defaultdomain", CONTROLS_LINE_OR_ME, "qmail-inject",
		"defaultdomain",
		"Default domain name is ", ".", false },
	{ "defaulthost", CONTROLS_LINE_OR_ME, "qmail-inject",
		"defaulthost",
		"Default host name is ", ".", false },
	{ "doublebouncehost", CONTROLS_LINE_OR_ME, "qmail-send",
		"doublebouncehost",
		"2B recipient host: ", ".", false },
	{ "doublebounceto", CONTROLS_LINE, "qmail-send",
		"postmaster",
		"2B recipient user: ", ".", false },
	{ "envnoathost", CONTROLS_LINE_OR_ME, "qmail-send",
		"envnoathost",
		"Presumed domain name is ", ".", false },
	{ "helohost", CONTROLS_LINE_OR_ME, "qmail-remote qmail-rspawn",
		"helohost",
		"SMTP client HELO host name is ", ".", false },
	{ "idhost", CONTROLS_LINE_OR_ME, "qmail-inject",
		"idhost",
		"Message-ID host name is ", ".", false },
	{ "localiphost", CONTROLS_LINE_OR_ME, "qmail-smtpd",
		"localiphost",
		"Local IP address becomes ", ".", false },
	{ "locals", CONTROLS_LIST, "qmail-send",
		"Messages for me are delivered locally.",
		"Messages for ", " are delivered locally.", false },
	{ "me", CONTROLS_LINE, "all",
		"undefined! Uh-oh",
		"My name is ", ".", false },
	{ "percenthack", CONTROLS_LIST, "qmail-send",
		"The percent hack is not allowed.",
		"The percent hack is allowed for user%host@", ".", false },
	{ "plusdomain", CONTROLS_LINE_OR_ME, "qmail-inject",
		"plusdomain",
		"Plus domain name is ", ".", false },
	{ "qmqpservers", CONTROLS_LIST, "qmail-qmqpc",
		"No QMQP servers.",
		"QMQP server: ", ".", false },
	{ "queuelifetime", CONTROLS_NUMBER, "qmail-send",
		"604800",
		"Message lifetime in the queue is ", " seconds.", false },
	{ "rcpthosts", CONTROLS_LIST, "qmail-smtpd qmail-qmtpd",
		"SMTP clients may send messages to any recipient.",
		"SMTP clients may send messages to recipients at ", ".", false },
	{ "morercpthosts", CONTROLS_LIST, "qmail-newmrh",
		"No effect.",
		"SMTP clients may send messages to recipients at ", ".", false },
	{ "morercpthosts.cdb", CONTROLS_DATABASE, "qmail-smtpd qmail-qmtpd",
		"No effect.",
		"", "", false },
	{ "smtpgreeting", CONTROLS_LINE_OR_ME, "qmail-smtpd",
		"smtpgreeting",
		"SMTP greeting: 220 ", ".", false },
	{ "smtproutes", CONTROLS_MAP, "qmail-remote qmail-rspawn",
		"No artificial SMTP routes.",
		"SMTP route: ", "", false },
	{ "timeoutconnect", CONTROLS_NUMBER, "qmail-remote qmail-rspawn",
		"60",
		"SMTP client connection timeout is ", " seconds.", false },
	{ "timeoutremote", CONTROLS_NUMBER, "qmail-remote qmail-rspawn",
		"1200",
		"SMTP client data timeout is ", " seconds.", false },
	{ "timeoutsmtpd", CONTROLS_NUMBER, "qmail-smtpd",
		"1200",
		"SMTP server data timeout is ", " seconds.", false },
	{ "virtualdomains", CONTROLS_MAP, "qmail-send",
		"No virtual domains.",
		"Virtual domain: ", "", false },
};
/* clang-format on */

const struct controls_file *controls_all(size_t *n)
{
	*n = sizeof table / sizeof *table;
	return table;
}

const struct controls_file *controls_find(const char *name)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}
