#include "sys/clientenv.h"

#include <stdio.h>
#include <stdlib.h>

const char *clientenv(const char *name)
{
	static const char *const protocols[] = { "TCP", "SSL" };
	const char *value = NULL;
	char whole[64];

	/* Of one server: a name from one and an address from another would not belong together. */
	for (size_t i = 0; i < 2 && value == NULL; i++) {
		snprintf(whole, sizeof whole, "%s%s", protocols[i], name);
		value = getenv(whole);
		if (value == NULL && getenv("TCPREMOTEIP"))
			break;
	}
	return value;
}

struct str clientenv_str(const char *name, const char *otherwise)
{
	const char *value = clientenv(name);

	return str_of(value ? value : otherwise);
}
