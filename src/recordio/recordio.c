/*
 * recordio PROGRAM…: runs it and shows on descriptor 2 what goes in ("PID <
 * text") and out ("PID > text"). A line that came whole is shown with a space
 * at its end, a part of one with `+` (contract-companions §1.5).
 */
#include "filter/tool.h"
#include "sys/io.h"
#include "ucspi/between.h"

#define ME "recordio"

static void show(long pid, bool to_program, struct str text, const char *end)
{
	struct buf line = BUF_INIT(BETWEEN_CHUNK + 100);

	buf_addf(&line, "%ld %c ", pid, to_program ? '<' : '>');
	buf_add(&line, text);
	buf_addz(&line, end);
	io_write_all(2, line.p, line.n);
	buf_free(&line);
}

static void record(void *ctx, bool to_program, struct str data, struct buf *out)
{
	long pid = *(long *)ctx;
	struct str rest = data, line;

	buf_add(out, data);
	if (data.n == 0)
		show(pid, to_program, STR("[EOF]"), "\n");
	while (rest.n) {
		bool whole = str_cut(rest, '\n', &line, &rest);

		show(pid, to_program, line, whole ? " \n" : "+\n");
	}
}

static void begin(void *ctx, long pid)
{
	*(long *)ctx = pid;
}

int main(int argc, char **argv)
{
	long pid;
	struct between r = { .me = ME, .pass = record, .ctx = &pid, .begin = begin };

	if (argc < 2)
		tool_usage(ME, "program [ arg ... ]");
	between_run(&r, argv + 1);
}
