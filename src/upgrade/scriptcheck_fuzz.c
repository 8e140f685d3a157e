/* Scripts and rules of any bytes: no word is longer than its limit, and it ends. */
#include "upgrade/scriptcheck.h"

#include "upgrade/scriptwords.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hear(void *ctx, enum verdict v, struct str name, const char *text)
{
	(void)ctx;
	(void)v;
	if (name.n > SCRIPTWORDS_MAX || text == NULL)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = { (const char *)data, size };

	if (size > 100000)
		return 0;
	scriptcheck(s, hear, NULL);
	scriptcheck_rules(s, hear, NULL);
	return 0;
}
