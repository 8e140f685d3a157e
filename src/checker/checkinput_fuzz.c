/* Fuzzes what a program of the checkpassword interface reads. */
#include "checker/checkinput.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = { (const char *)data, size };
	struct checkinput c;

	if (!checkinput_parse(input, &c))
		return 0;
	/* They are used as C strings. */
	assert(c.login.p[c.login.n] == 0 && c.password.p[c.password.n] == 0);
	assert(c.login.n + c.password.n + c.timestamp.n + 2 <= size);
	return 0;
}
