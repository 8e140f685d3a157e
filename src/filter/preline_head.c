#include "filter/preline_head.h"

#include <stdlib.h>

bool preline_head(const struct preline_head *wanted, struct buf *out)
{
	const char *from = getenv("UFLINE"), *return_path = getenv("RPLINE"), *delivered_to = getenv("DTLINE");

	if (from == NULL || return_path == NULL || delivered_to == NULL)
		return false;
	if (wanted->from)
		buf_addz(out, from);
	if (wanted->return_path)
		buf_addz(out, return_path);
	if (wanted->delivered_to)
		buf_addz(out, delivered_to);
	return buf_ok(out);
}
