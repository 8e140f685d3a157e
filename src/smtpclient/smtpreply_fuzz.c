#include <assert.h>

#include "smtpclient/ehlo.h"
#include "smtpclient/smtpreply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data, size };
	struct smtpreply r;
	enum smtpreply_state state;

	smtpreply_init(&r);
	do {
		state = smtpreply_feed(&r, &rest);
		assert(r.text.n <= SMTPREPLY_KEEP && r.bytes <= SMTPREPLY_BYTES_MAX + 1);
		for (size_t i = 0; i < r.text.n; i++)
			assert(r.text.p[i] == '\n' || r.text.p[i] == '\t' || (unsigned char)r.text.p[i] >= 32);
		if (state == SMTPREPLY_COMPLETE) {
			assert(r.code >= 200 && r.code <= 599 && r.text.p[r.text.n - 1] == '\n');
			ehlo_parse(buf_str(&r.text));
		}
	} while (state == SMTPREPLY_COMPLETE);
	smtpreply_free(&r);
	return 0;
}
