/* Replies of a hostile QMTP server, in pieces as long as the first byte says: what is kept is bounded and clean. */
#include <assert.h>

#include "smtpclient/qmtpreply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data, size };
	struct buf text = BUF_INIT(2 * QMTPREPLY_KEEP);
	struct qmtpreply r = { 0 };
	size_t piece = size ? 1 + data[0] : 1;
	bool bad = false;

	for (rest = str_from(rest, 1); rest.n && !bad; rest = str_from(rest, piece)) {
		struct str part = str_head(rest, piece);

		while (part.n && !bad) {
			enum qmtpreply_state state = qmtpreply_feed(&r, &part, &text);

			assert(text.n <= QMTPREPLY_KEEP && buf_ok(&text));
			for (size_t i = 0; i < text.n; i++)
				assert(text.p[i] == '\n' || text.p[i] == '\t' ||
				       ((unsigned char)text.p[i] >= 32 && text.p[i] != 127));
			assert(state != QMTPREPLY_COMPLETE || r.letter == 'K' || r.letter == 'Z' || r.letter == 'D');
			bad = state == QMTPREPLY_BAD;
		}
	}
	buf_free(&text);
	return 0;
}
