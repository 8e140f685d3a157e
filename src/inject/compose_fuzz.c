/* Whatever a header holds, what comes out is a header again, of fields only. */
#include <stdlib.h>

#include "inject/compose.h"
#include "mail/header.h"

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void require_fields(struct str header)
{
	struct header_scan scan = { 0 };
	struct str item;

	while (header.n)
		require(header_take(&scan, &header, true, &item) == HEADER_FIELD);
}

static void feed(struct compose *c, struct str message)
{
	struct header_scan scan = { 0 };
	struct str item;
	struct err e;
	bool ok = true;

	while (ok) {
		enum header_item kind = header_take(&scan, &message, true, &item);

		if (kind == HEADER_FIELD)
			ok = compose_field(c, item, &e);
		else if (kind == HEADER_MBOX_LINE)
			ok = compose_mbox_line(c, item, &e);
		else
			break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct identity who = { .user = "u", .name = "N", .sender_user = "u" };
	struct compose_facts facts = { .who = &who, .idhost = STR("i"), .time = 1, .pid = 2 };
	struct buf generated = BUF_INIT(SIZE_MAX), sender = BUF_INIT(SIZE_MAX);
	struct rewrite_rules rules;
	struct compose c;
	struct err e;

	require(rewrite_init(&rules, STR("a.test"), STR("test"), STR("plus.test"), &e));
	facts.rules = &rules;
	compose_init(&c, &facts, (struct compose_options){ 0 });
	feed(&c, (struct str){ (const char *)data, size });
	require(compose_sender(&c, &sender, &e) && compose_generated(&c, &generated, &e));
	require_fields(buf_str(&generated));
	require_fields(buf_str(&c.kept));
	compose_free(&c);
	rewrite_free(&rules);
	buf_free(&generated);
	buf_free(&sender);
	return 0;
}
