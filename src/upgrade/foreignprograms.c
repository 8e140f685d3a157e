#include "upgrade/foreignprograms.h"

#include <stddef.h>

#define OF_OLD_INSIDES "part of qmail; nothing needs it here"
#define QUEUE_FILTER "works as before where $QMAILQUEUE names it; it runs bin/qmail-queue, which is ours then"

/* clang-format off */
static const struct foreignprogram table[] = {
	{ "qmail-clean", VERDICT_IGNORED, OF_OLD_INSIDES },
	{ "qmail-todo", VERDICT_IGNORED, "of the ext-todo patch; " OF_OLD_INSIDES },
	{ "qmail-hier", VERDICT_IGNORED, OF_OLD_INSIDES },
	{ "qmail-upq", VERDICT_IGNORED, OF_OLD_INSIDES },
	{ "qsmhook", VERDICT_DIFFERS, "old and not part of this system: .qmail lines that run it need preline" },
	{ "instcheck", VERDICT_IGNORED, OF_OLD_INSIDES },
	{ "install", VERDICT_IGNORED, OF_OLD_INSIDES },
	{ "qmail-queue.*", VERDICT_IGNORED, "another qmail-queue; remove it, above all if it is set-id" },
	{ "qmail-smtpd.*", VERDICT_IGNORED, "another qmail-smtpd, which cannot reach this queue but through bin/qmail-queue" },
	{ "qmail-remote.*", VERDICT_IGNORED, "a wrapper of qmail-remote: $QMAILREMOTE names such a program here" },
	{ "qmail-dk", VERDICT_USED, QUEUE_FILTER },
	{ "qmail-dkim", VERDICT_USED, QUEUE_FILTER },
	{ "qmail-qfilter", VERDICT_USED, QUEUE_FILTER },
	{ "qmail-scanner-queue*", VERDICT_USED, QUEUE_FILTER "; set-id Perl works no better than it did" },
	{ "simscan", VERDICT_USED, QUEUE_FILTER },
	{ "simscanmk", VERDICT_USED, "of simscan" },
	{ "qmail-remove", VERDICT_IGNORED, "edits queues of files; quill queue remove" },
	{ "qmqtool", VERDICT_IGNORED, "edits queues of files; quill queue, or qmHandle" },
	{ "queue-fix", VERDICT_IGNORED, "repairs queues of files; qmail-journal --check" },
	{ "queue-repair*", VERDICT_IGNORED, "repairs queues of files; qmail-journal --check" },
	{ "qmail-qsanity", VERDICT_IGNORED, "checks queues of files; qmail-journal --check" },
	{ "qmailctl", VERDICT_DIFFERS, "works where its services are called as before; quill status" },
	{ "spamdyke", VERDICT_USED, "stands before qmail-smtpd as before; it does TLS itself or not at all" },
	{ "greetdelay", VERDICT_USED, "stands before qmail-smtpd as before" },
	{ "relay-ctrl-check", VERDICT_USED, "stands before qmail-smtpd as before" },
	{ "vchkpw", VERDICT_USED, "a checkpassword program, as before" },
	{ "vdelivermail", VERDICT_USED, "runs from .qmail files as before" },
	{ "ezmlm-*", VERDICT_USED, "runs from .qmail files as before" },
	{ "autorespond", VERDICT_USED, "runs from .qmail files as before" },
	{ "ofmipd", VERDICT_USED, "puts mail into the queue through bin/qmail-queue as before" },
	{ "new-inject", VERDICT_USED, "puts mail into the queue through bin/qmail-queue as before" },
};
/* clang-format on */

const struct foreignprogram *foreignprograms_find(struct str name)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (str_like(name, str_of(table[i].name)))
			return &table[i];
	return NULL;
}
