#include "local/outcome.h"

#include <sys/wait.h>

/* Exit codes of a delivery's process that have a text of their own. */
static const struct {
	int code;
	const char *report;
} fixed[] = {
	{ 112, "ZInternal qmail-lspawn bug.\n" },
	{ 113, "ZNot allowed to perform deliveries as root.\n" },
	{ 115, "ZNFS failure in qmail-local.\n" },
	{ 116, "ZUnable to find alias user!\n" },
	{ 117, "ZTrouble reading users/cdb in qmail-lspawn.\n" },
	{ 118, "ZTemporary failure in qmail-lspawn.\n" },
	{ 119, "ZOut of memory in qmail-lspawn.\n" },
	{ 120, "ZUnable to run qmail-local.\n" },
	{ 121, "ZUnable to run qmail-getpw.\n" },
	{ 126, "DUnable to run qmail-local.\n" },
};

static char letter_of(int code)
{
	switch (code) {
	case 0:
		return 'K';
	case 111:
	case 71:
	case 74:
	case 75:
		return 'Z';
	}
	return 'D';
}

static char put_fixed(const char *report, struct buf *text)
{
	buf_addz(text, report + 1);
	return *report;
}

/* Cut so that with the remark it stays under the limit; then at the first NUL. */
static void put_output(struct str output, struct buf *text)
{
	static const struct str remark = { "\nError report too long, sorry.\n", 31 };
	size_t keep = OUTCOME_OUTPUT_MAX - 1;
	bool cut = output.n > keep;
	struct str kept = cut ? str_head(output, keep - 3 - remark.n) : output;
	size_t nul = str_chr(kept, 0);

	buf_add(text, str_head(kept, nul));
	if (cut && nul == kept.n)
		buf_add(text, remark);
}

char outcome_report(int status, struct str output, struct buf *text)
{
	int code;

	if (!WIFEXITED(status))
		return put_fixed("Zqmail-local crashed.\n", text);
	code = WEXITSTATUS(status);
	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
		if (fixed[i].code == code)
			return put_fixed(fixed[i].report, text);
	put_output(output, text);
	return letter_of(code);
}
