#include <stdlib.h>

#include "aliases/aliasfile.h"
#include "aliases/forwardfile.h"
#include "aliases/maillist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every record has the form that fastforward reads. */
static bool check_record(void *ctx, struct str key, struct str data, struct err *e)
{
	struct str instruction;

	(void)ctx;
	(void)e;
	if (key.n < 2 || (*key.p != ':' && *key.p != '?') || str_chr(key, 0) < key.n || data.n == 0)
		abort();
	if (*key.p == '?')
		return true;
	while (alias_next(&data, &instruction))
		if (instruction.n == 0 || str_chr(STR("&!|/."), *instruction.p) == 5)
			abort();
	if (data.n)
		abort();
	return true;
}

static void check_list(struct str list)
{
	enum maillist_result r;
	struct str item;

	do
		r = maillist_next(&list, &item);
	while (r == MAILLIST_ITEM);
	if (r != MAILLIST_END)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };
	struct forwardfile f = FORWARDFILE_INIT;
	struct buf list = BUF_INIT(SIZE_MAX);
	struct rewrite_rules rules;
	struct err e;

	if (!rewrite_init(&rules, STR("host"), STR("dom.test"), STR("plus.test"), &e))
		abort();
	aliasfile_compile(text, &rules, check_record, NULL, &e);
	if (aliasfile_compile_list(text, &rules, &list, &e))
		check_list(buf_str(&list));
	forwardfile_parse(text, &rules, STR("joe"), STR("host.test"), &f, &e);
	forwardfile_free(&f);
	rewrite_free(&rules);
	buf_free(&list);
	return 0;
}
