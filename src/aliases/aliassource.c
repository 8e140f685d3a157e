#include "aliases/aliassource.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "inject/setup.h"
#include "sys/home.h"
#include "sys/io.h"

#define TEXT_MAX (1u << 30)
#define NAME_LIMIT 65536

static bool read_text(const char *file, struct buf *text, struct err *e)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	bool ok;

	if (fd == -1)
		return err_temp(e, "unable to read %s: %s", file, errno_text(errno));
	ok = io_read_rest(fd, text) || err_temp(e, "unable to read %s: %s", file, errno_text(errno));
	close(fd);
	return ok;
}

static void set_name(struct buf *name, const char *file, const char *suffix)
{
	buf_addz(name, file);
	buf_addz(name, suffix);
}

bool alias_text_read(struct alias_text *t, const char *file, const char *suffix, bool use_environment, struct err *e)
{
	*t = (struct alias_text){
		.text = BUF_INIT(TEXT_MAX),
		.result = BUF_INIT(NAME_LIMIT),
		.tmp = BUF_INIT(NAME_LIMIT),
	};
	set_name(&t->result, file, suffix);
	set_name(&t->tmp, file, ".tmp");
	if (home_open(e) && setup_read_rules(&t->rules, use_environment, e))
		return read_text(file, &t->text, e);
	e->kind = ERR_TEMPORARY;
	return false;
}

void alias_text_free(struct alias_text *t)
{
	buf_free(&t->text);
	buf_free(&t->result);
	buf_free(&t->tmp);
	rewrite_free(&t->rules);
}
