#include "listener/clientname.h"

#include "base/mem.h"
#include "dns/dnsclient.h"

#include <stdlib.h>

#define WAIT_MS 5000 /* a client's own broken DNS must not cost it the session */
#define NAMES_MAX 5  /* PTR records looked at */

void clientname_reverse(const struct inetaddr *a, struct buf *out)
{
	inetaddr_add_reversed(a, out);
	buf_addz(out, a->v6 ? "ip6.arpa" : "in-addr.arpa");
}

static bool leads_back(struct str name, const struct inetaddr *a)
{
	struct str want = { (const char *)a->ip, a->v6 ? 16 : 4 };
	struct dns_answer *answer = mem_zero(1, sizeof *answer);
	bool found = false;

	dns_query(a->v6 ? DNS_AAAA : DNS_A, name, WAIT_MS, answer);
	for (uint32_t i = 0; answer->outcome == DNS_FOUND && i < answer->n && !found; i++)
		found = str_eq(answer->records[i].data, want);
	dns_answer_free(answer);
	free(answer);
	return found;
}

void clientname_find(const struct inetaddr *a, struct buf *out)
{
	struct buf reverse = BUF_INIT(100);
	struct dns_answer *answer;
	bool found = false;

	buf_clear(out);
	if (inetaddr_loopback(a)) {
		buf_addz(out, "localhost");
		return;
	}
	answer = mem_zero(1, sizeof *answer);
	clientname_reverse(a, &reverse);
	dns_query(DNS_PTR, buf_str(&reverse), WAIT_MS, answer);
	for (uint32_t i = 0; answer->outcome == DNS_FOUND && i < answer->n && i < NAMES_MAX && !found; i++) {
		found = leads_back(answer->records[i].name, a);
		if (found)
			buf_add(out, answer->records[i].name);
	}
	if (!found)
		buf_addz(out, "unknown");
	dns_answer_free(answer);
	free(answer);
	buf_free(&reverse);
}
