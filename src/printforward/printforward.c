/*
 * printforward: the alias database on standard input as text for setforward
 * (contract-companions §4.2). Exit 0; 100 malformed; 111.
 */
#include <errno.h>

#include "aliases/forwardtext.h"
#include "base/exitcode.h"
#include "cdb/cdbrecords.h"
#include "filter/tool.h"
#include "sys/io.h"

/* The name that scripts know these messages by. */
#define ME "printmaillist"
#define DATABASE_MAX UINT32_MAX
#define FLUSH_AT 65536

static void flush(struct buf *out)
{
	if (io_write_all(1, out->p, out->n) == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to write output: %s", errno_text(errno));
	buf_clear(out);
}

int main(void)
{
	struct buf image = BUF_INIT(DATABASE_MAX), out = BUF_INIT(SIZE_MAX);
	struct cdbrecords records;
	struct str key, data;
	bool ok = true;

	if (!io_read_rest(0, &image))
		tool_die(ME, EXIT_TEMPORARY, "unable to read input: %s", errno_text(errno));
	records = cdbrecords_of(buf_str(&image));
	while (ok && cdbrecords_next(&records, &key, &data)) {
		ok = forwardtext_print(key, data, &out);
		if (out.n >= FLUSH_AT)
			flush(&out);
	}
	flush(&out);
	if (!ok || records.bad)
		tool_die(ME, EXIT_PERMANENT, "bad database format");
	buf_free(&image);
	buf_free(&out);
	return 0;
}
