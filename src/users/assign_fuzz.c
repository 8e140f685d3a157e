#include <stdlib.h>

#include "users/assign.h"
#include "users/owner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every accepted line makes a record of six fields that can be read back, or one with bad numbers. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data, size };
	struct buf key = BUF_INIT(size + 2), value = BUF_INIT(size + 2);
	struct owner o = OWNER_INIT;
	struct assign_line l;

	while (assign_next(&rest, &l) == ASSIGN_LINE) {
		size_t nuls = 0;

		buf_clear(&key);
		buf_clear(&value);
		assign_record(&l, &key, &value);
		for (size_t i = 0; i < value.n; i++)
			nuls += value.p[i] == 0;
		if (nuls != 5 || !buf_ok(&key) || !buf_ok(&value))
			abort();
		if (owner_decode(&o, buf_str(&value), STR("rest")) == OWNER_FOUND &&
		    !str_ends(str_of(o.ext), STR("rest")))
			abort();
	}
	owner_decode(&o, (struct str){ (const char *)data, size }, STR(""));
	owner_free(&o);
	buf_free(&key);
	buf_free(&value);
	return 0;
}
