/*
 * printmaillist: the binary mailing list on standard input as text for
 * setmaillist (contract-companions §4.3). Exit 0; 100 malformed; 111.
 */
#include <errno.h>

#include "aliases/maillist.h"
#include "base/exitcode.h"
#include "filter/tool.h"
#include "sys/io.h"

#define ME "printmaillist"
#define LIST_MAX (1u << 30)

int main(void)
{
	struct buf list = BUF_INIT(LIST_MAX), out = BUF_INIT(SIZE_MAX);
	enum maillist_result r;
	struct str rest, item;

	if (!io_read_rest(0, &list))
		tool_die(ME, EXIT_TEMPORARY, "unable to read input: %s", errno_text(errno));
	rest = buf_str(&list);
	while ((r = maillist_next(&rest, &item)) == MAILLIST_ITEM) {
		buf_add(&out, item);
		buf_addc(&out, '\n');
	}
	if (io_write_all(1, out.p, out.n) == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to write output: %s", errno_text(errno));
	if (r == MAILLIST_BAD)
		tool_die(ME, EXIT_PERMANENT, "bad mailing list format");
	buf_free(&list);
	buf_free(&out);
	return 0;
}
