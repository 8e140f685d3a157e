/* quill_status: quill status. */
#include <stdio.h>

#include "queuequery/queuequery.h"
#include "quill/quill.h"
#include "sys/home.h"

int quill_status(int argc, char **argv)
{
	struct queue_figures f;
	struct err e;
	int code;

	if ((code = quill_choose_home(argc, argv)) != 0)
		return code;
	if (!queuequery_figures(&f, &e)) {
		printf("%s: not running (%s)\n", home_path(), e.text);
		return 1;
	}
	printf("%s: running\n", home_path());
	printf("messages in the queue:     %llu (%llu bytes in %llu journal segments)\n",
	       (unsigned long long)f.messages, (unsigned long long)f.bytes, (unsigned long long)f.segments);
	printf("accepted since the start:  %llu\n", (unsigned long long)f.accepted);
	if (f.damaged)
		printf("damaged records:           %llu, kept in queue/corrupt\n", (unsigned long long)f.damaged);
	if (f.refusing)
		printf("new mail is refused: the disk is full\n");
	return 0;
}
