/* Fuzzes the commands of a client who has logged in. The Maildir is gone: no message can be opened or removed. */
#include "pop3/popsession.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool relieve(void *ctx)
{
	struct buf *out = ctx;

	assert(buf_ok(out));
	return true;
}

static void fill(struct popbox *b)
{
	static const char *const paths[] = { "new/1.x", "cur/2.x,S=5,W=6:2,S", "new/a b", "cur/:2," };

	b->list.entry = mem_zero(4, sizeof *b->list.entry);
	b->messages = mem_zero(4, sizeof *b->messages);
	for (size_t i = 0; i < 4; i++) {
		b->list.entry[i].path = mem_copy(str_of(paths[i]));
		b->list.entry[i].size = 7;
		b->messages[i].size = POPBOX_UNKNOWN;
	}
	b->list.n = 4;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct popline lines;
	struct popbox box = { .dir = -1, .quota = MAILDIRQUOTA_INIT };
	struct buf out = BUF_INIT(64u << 20);
	struct popsession s = { .box = &box, .relieve = relieve, .ctx = &out };
	struct str input = { (const char *)data, size }, line;

	fill(&box);
	lines.n = 0;
	lines.too_long = false;
	while (!s.ended && popline_next(&lines, &input, &line)) {
		size_t before = out.n;

		popsession_command(&s, line, &out);
		/* Every command has an answer, and every answer is whole lines. */
		assert(out.n > before && out.p[out.n - 1] == '\n');
		assert(out.p[before] == '+' || out.p[before] == '-');
		assert(s.last <= 4);
	}
	popbox_close(&box);
	buf_free(&out);
	return 0;
}
