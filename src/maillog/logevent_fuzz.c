/* Whatever is in a log: it is read to its end, and nothing is made of it that is not bounded. */
#include "maillog/logevent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data, size }, line;
	struct log_event e;

	log_event_init(&e);
	while (str_next_line(&rest, &line))
		log_event_read(line, &e);
	log_event_free(&e);
	return 0;
}
