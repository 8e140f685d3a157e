#include "dnstool/fullname.h"

#include <netdb.h>

bool fullname_find(const char *host, struct buf *name, struct err *e)
{
	const struct addrinfo hints = { .ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	int r = getaddrinfo(host, NULL, &hints, &found);

	if (r == EAI_AGAIN || r == EAI_MEMORY || r == EAI_SYSTEM)
		return err_temp(e, "soft error: %s", gai_strerror(r));
	if (r != 0)
		return err_perm(e, "hard error: %s", gai_strerror(r));
	buf_add_lower(name, str_of(found->ai_canonname ? found->ai_canonname : host));
	freeaddrinfo(found);
	return buf_ok(name) || err_perm(e, "hard error: the name is too long");
}
