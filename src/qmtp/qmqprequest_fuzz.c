/* An envelope that came in pieces, and the line of a server. */
#include <stdlib.h>

#include "qmtp/qmqprequest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = { (const char *)data, size }, host;
	struct buf request = BUF_INIT(SIZE_MAX);
	size_t at = 0, once = 0;
	uint16_t port = 0;
	bool whole = false;

	for (size_t n = 0; n <= size && !whole; n++)
		whole = qmqprequest_envelope_whole(str_head(input, n), &at);
	if (whole != qmqprequest_envelope_whole(input, &once))
		abort();
	/* What is not whole is no request. */
	if (qmqprequest_make(STR("x"), input, &request) && !whole)
		abort();
	if (qmqprequest_server(input, &host, &port) && (host.n == 0 || host.n > size))
		abort();
	buf_free(&request);
	return 0;
}
