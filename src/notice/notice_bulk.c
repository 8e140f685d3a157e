#include "mail/header.h"
#include "notice/notice.h"

static bool is_word(struct str body, struct str word)
{
	body = str_trim_start(str_trim_end(body));
	return str_ieq(str_head(body, str_chr(body, ';')), word);
}

static bool field_is_bulk(struct str field)
{
	struct str name = header_name(field), body = header_body(field);

	if (str_istarts(name, STR("List-")) || str_ieq(name, STR("Mailing-List")))
		return true;
	if (str_ieq(name, STR("Auto-Submitted")))
		return !is_word(body, STR("no"));
	return str_ieq(name, STR("Precedence")) &&
	       (is_word(body, STR("bulk")) || is_word(body, STR("list")) || is_word(body, STR("junk")));
}

bool notice_is_bulk(struct str header)
{
	struct header_scan scan = { 0 };
	enum header_item kind;
	struct str item;

	while ((kind = header_take(&scan, &header, true, &item)) == HEADER_FIELD || kind == HEADER_MBOX_LINE)
		if (kind == HEADER_FIELD && field_is_bulk(item))
			return true;
	return false;
}
