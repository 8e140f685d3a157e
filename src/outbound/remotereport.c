#include "outbound/remotereport.h"

#include <sys/wait.h>

#include "smtpclient/transaction.h"

static char failed(struct buf *text, char letter, const char *why)
{
	buf_addz(text, why);
	return letter;
}

/* The first record that says what became of the message; 0: none does. */
static char verdict(struct str records)
{
	struct str record;

	while (records.n) {
		str_cut(records, 0, &record, &records);
		if (record.n && (*record.p == 'K' || *record.p == 'Z' || *record.p == 'D'))
			return *record.p;
	}
	return 0;
}

char remote_report(int status, struct str output, struct buf *text)
{
	struct str first, second, rest;
	char message = verdict(output), forced = 0;

	if (WIFSIGNALED(status))
		return failed(text, 'Z', "qmail-remote crashed.\n");
	if (WEXITSTATUS(status) == 111)
		return failed(text, 'Z', "Unable to run qmail-remote.\n");
	if (WEXITSTATUS(status))
		return failed(text, 'D', "Unable to run qmail-remote.\n");
	if (output.n == 0)
		return failed(text, 'Z', "qmail-remote produced no output.\n");
	str_cut(output, 0, &first, &rest);
	str_cut(rest, 0, &second, &rest);
	if (first.n && (*first.p == 's' || *first.p == 'h'))
		forced = *first.p == 's' ? 'Z' : 'D';
	if (!forced && !message)
		return failed(text, 'Z', "qmail-remote said nothing that makes sense. (#4.3.0)\n");
	buf_add(text, str_from(first, 1));
	if (!forced || (message && transaction_no_better(message, forced)))
		buf_add(text, str_from(second, 1));
	return forced ? forced : message;
}
