/* Whatever a report, an address or a parameter says, a notice has the fields and parts that it should have. */
#include <stdlib.h>

#include "notice/notice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count(struct str s, struct str what)
{
	size_t n = 0, at;

	while ((at = str_find(s, what)) < s.n) {
		n++;
		s = str_from(s, at + 1);
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data, size };
	struct buf out = BUF_INIT(SIZE_MAX);
	struct notice_recipient r = { .action = NOTICE_FAILED };
	struct notice n = { .from = STR("f"), .host = STR("h"), .unique = STR("U"), .recipients = &r, .n = 1 };
	struct str status;

	str_cut(rest, 0, &r.address, &rest);
	str_cut(rest, 0, &r.orcpt, &rest);
	str_cut(rest, 0, &n.envid, &rest);
	str_cut(rest, 0, &n.to, &r.report);
	if (count((struct str){ (const char *)data, size }, STR("--=_U")))
		return 0;
	notice_head(&out, &n);
	status = str_from(buf_str(&out), str_find(buf_str(&out), STR("delivery-status\n")));
	status = str_head(status, str_find(status, STR("\n--=_U\n")));
	if (count(buf_str(&out), STR("\n--=_U\n")) != 3 || count(status, STR("\nAction: ")) != 1 ||
	    count(status, STR("\nStatus: ")) != 1 || count(status, STR("\nFinal-Recipient: ")) != 1 ||
	    count(status, STR("\n\n")) > 3)
		abort();
	buf_free(&out);
	return 0;
}
