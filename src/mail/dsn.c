#include "mail/dsn.h"

#include "mail/xtext.h"

static const struct {
	struct str name;
	uint8_t bit;
} keywords[] = {
	{ { "NEVER", 5 }, DSN_NEVER },
	{ { "SUCCESS", 7 }, DSN_SUCCESS },
	{ { "FAILURE", 7 }, DSN_FAILURE },
	{ { "DELAY", 5 }, DSN_DELAY },
};

static uint8_t keyword(struct str word)
{
	for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
		if (str_ieq(word, keywords[i].name))
			return keywords[i].bit;
	return 0;
}

bool dsn_parse_notify(struct str value, uint8_t *notify)
{
	uint8_t all = 0;
	struct str word;
	bool more;

	do {
		uint8_t bit;

		more = str_cut(value, ',', &word, &value);
		bit = keyword(word);
		if (bit == 0)
			return false;
		all |= bit;
	} while (more);
	if ((all & DSN_NEVER) && all != DSN_NEVER)
		return false;
	*notify = all;
	return true;
}

bool dsn_parse_ret(struct str value, uint8_t *ret)
{
	if (str_ieq(value, STR("FULL")))
		*ret = DSN_RET_FULL;
	else if (str_ieq(value, STR("HDRS")))
		*ret = DSN_RET_HDRS;
	else
		return false;
	return true;
}

bool dsn_envid_ok(struct str value)
{
	struct buf id = BUF_INIT(DSN_ENVID_MAX);
	bool ok = value.n > 0 && value.n <= DSN_ENVID_MAX && xtext_decode(&id, value) && !str_has_control(buf_str(&id));

	for (size_t i = 0; ok && i < id.n; i++)
		ok = (unsigned char)id.p[i] < 128;
	buf_free(&id);
	return ok;
}

static bool type_ok(struct str type)
{
	for (size_t i = 0; i < type.n; i++) {
		char c = chr_lower(type.p[i]);

		if (!(c >= 'a' && c <= 'z') && !chr_digit(c) && c != '-')
			return false;
	}
	return type.n > 0;
}

bool dsn_orcpt_ok(struct str value)
{
	struct buf address = BUF_INIT(DSN_ORCPT_MAX);
	struct str type, text;
	bool utf8, ok;

	if (value.n > DSN_ORCPT_MAX || !str_cut(value, ';', &type, &text) || text.n == 0 || !type_ok(type))
		return false;
	utf8 = str_ieq(type, STR("utf-8"));
	ok = (utf8 ? xtext_decode_utf8(&address, text) : xtext_decode(&address, text)) &&
	     !str_has_control(buf_str(&address));
	for (size_t i = 0; ok && !utf8 && i < address.n; i++)
		ok = (unsigned char)address.p[i] < 128;
	buf_free(&address);
	return ok;
}

void dsn_add_notify(struct buf *out, uint8_t notify)
{
	bool first = true;

	for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
		if (!(notify & keywords[i].bit))
			continue;
		if (!first)
			buf_addc(out, ',');
		buf_add(out, keywords[i].name);
		first = false;
	}
}

void dsn_add_ret(struct buf *out, uint8_t ret)
{
	if (ret != DSN_RET_ANY)
		buf_add(out, ret == DSN_RET_FULL ? STR("FULL") : STR("HDRS"));
}

uint8_t dsn_notify_forward(uint8_t notify)
{
	uint8_t left = notify & (uint8_t)~DSN_SUCCESS;

	/* Whoever asked for success and nothing else wants to hear of no failure. */
	return notify && left == 0 ? DSN_NEVER : left;
}
