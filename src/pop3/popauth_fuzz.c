/* Fuzzes what a stranger says before he has logged in, and texts on their way out. */
#include "pop3/popauth.h"

#include <assert.h>

#include "pop3/poptext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void talk(struct str input)
{
	static struct popline lines;
	struct popauth a = POPAUTH_INIT;
	struct buf out = BUF_INIT(4u << 20);
	struct str line;

	a.stamp = "<1.2@h>";
	a.tls_offered = input.n & 1;
	a.tls_required = input.n & 2;
	lines.n = 0;
	lines.too_long = false;
	while (popline_next(&lines, &input, &line)) {
		enum popauth_next next = popauth_line(&a, line, &out);

		if (next == POPAUTH_TLS)
			popauth_secure(&a);
		if (next == POPAUTH_LOGIN) {
			size_t nuls = 0;

			assert(a.tls_active || !a.tls_required);
			for (size_t i = 0; i < a.credentials.n; i++)
				nuls += a.credentials.p[i] == 0;
			assert(nuls == 3);
		}
		if (next == POPAUTH_END)
			break;
	}
	popauth_free(&a);
	buf_free(&out);
}

static void send(struct str message)
{
	struct poptext t = poptext_all();
	struct popsize size = { 0 };
	struct buf out = BUF_INIT(4u << 20);
	size_t dots = 0;

	poptext_add(&t, str_head(message, message.n / 2), &out);
	poptext_add(&t, str_from(message, message.n / 2), &out);
	poptext_end(&t, &out);
	popsize_add(&size, message);
	for (size_t i = 0; i + 1 < out.n; i++)
		dots += out.p[i] == '.' && out.p[i + 1] == '.' && (i == 0 || out.p[i - 1] == '\n');
	assert(out.n == popsize_end(&size) + dots + 3);
	/* The final dot comes once, at the end. */
	assert(str_ends(buf_str(&out), STR(".\r\n")));
	assert(out.n < 4 || str_find(buf_str(&out), STR("\n.\r\n")) >= out.n - 4);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = { (const char *)data, size };

	if (size > (1u << 20))
		return 0;
	talk(input);
	send(input);
	return 0;
}
