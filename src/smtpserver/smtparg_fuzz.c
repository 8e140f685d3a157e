#include <stdlib.h>

#include "mail/dsn.h"
#include "smtpserver/smtparg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	static struct smtparg a;
	struct str s;

	if (!ready)
		a = SMTPARG_INIT;
	ready = true;
	if (smtparg_parse((struct str){ (const char *)data, size }, size % 3, &a) == SMTPARG_SYNTAX)
		return 0;
	if (a.envid.n > DSN_ENVID_MAX || a.orcpt.n > DSN_ORCPT_MAX || ((a.notify & DSN_NEVER) && a.notify != DSN_NEVER))
		abort();
	s = buf_str(&a.address);
	/* What later parts rely on. */
	if (s.n > SMTPARG_ADDRESS_MAX || str_has_control(s) || a.at != str_rchr(s, '@'))
		abort();
	if (a.at < s.n && (a.at == 0 || a.at + 1 == s.n))
		abort();
	return 0;
}
