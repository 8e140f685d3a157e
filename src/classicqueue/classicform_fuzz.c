/* Whatever is in a queue file: all that is given lies within it, and what is written again is read as the same. */
#include <stdlib.h>

#include "classicqueue/classicform.h"

struct fuzz {
	struct str file;
	struct buf again;
};

static void within(struct str file, struct str s)
{
	if (s.n && (s.p < file.p || s.p + s.n > file.p + file.n))
		abort();
}

static void see(void *ctx, struct str address, bool done)
{
	struct fuzz *f = ctx;

	within(f->file, address);
	classic_put_recipient(&f->again, address, done);
}

static void see_failure(void *ctx, struct str address, struct str text)
{
	struct fuzz *f = ctx;

	within(f->file, address);
	within(f->file, text);
	classic_put_bounce(&f->again, address, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = { { (const char *)data, size }, BUF_INIT(SIZE_MAX) };
	struct classic_todo t;
	struct str sender;

	if (classic_info(f.file, &sender))
		within(f.file, sender);
	if (classic_todo(f.file, &t, see, &f))
		within(f.file, t.sender);
	buf_clear(&f.again);
	if (classic_channel(f.file, see, &f) && !str_eq(buf_str(&f.again), f.file))
		abort();
	classic_bounce(f.file, see_failure, &f);
	buf_free(&f.again);
	return 0;
}
