/* Values of control/smtproutes: what is understood is complete and in its bounds. */
#include <assert.h>

#include "outbound/relay.h"
#include "smtpclient/clientauth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct relay *r)
{
	const struct session_policy *p = &r->policy;

	assert(r->host.n > 0 && r->port > 0 && str_eq(p->name, r->host));
	assert(!(p->lmtp && p->qmtp));
	assert(!p->wrapped || p->tls == SESSION_TLS_MUST);
	assert(!r->verify || p->tls == SESSION_TLS_MUST);
	assert(p->auth_in_clear == (p->tls == SESSION_TLS_NEVER && p->auth_in_clear));
	if (p->qmtp)
		assert(p->user.n == 0 && (p->wrapped || p->tls == SESSION_TLS_NEVER));
	if (p->user.n == 0)
		return;
	assert(p->mechanisms && p->user.n <= AUTH_WORD_MAX && p->password.n <= AUTH_WORD_MAX);
	assert(memchr(p->user.p, 0, p->user.n) == NULL && memchr(p->password.p, 0, p->password.n) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct relays r;
	struct err e;

	if (!relays_parse(&r, (struct str){ (const char *)data, size }, &e)) {
		assert(r.n == 0 && e.text[0]);
		return 0;
	}
	assert(r.n <= RELAYS_MAX);
	for (size_t i = 0; i < r.n; i++)
		check(&r.list[i]);
	relays_free(&r);
	return 0;
}
