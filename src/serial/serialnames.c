#include "serial/serialnames.h"

#include <errno.h>

#include "base/exitcode.h"
#include "filter/tool.h"
#include "sys/io.h"

#define NAMES_MAX (1u << 30)

void serialnames_read(struct serialnames *names, const char *me)
{
	names->text = BUF_INIT(NAMES_MAX);
	if (!io_read_rest(0, &names->text))
		tool_die(me, EXIT_TEMPORARY, "unable to read input: %s", errno_text(errno));
	names->rest = buf_str(&names->text);
}

const char *serialnames_next(struct serialnames *names)
{
	struct str name;

	/* What lacks its NUL was cut off. */
	if (!str_cut(names->rest, 0, &name, &names->rest))
		return NULL;
	return name.p;
}
