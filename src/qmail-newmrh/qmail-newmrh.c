/*
 * qmail-newmrh: control/morercpthosts -> control/morercpthosts.cdb (contract
 * §3.6). Keys in lower case, no values. Exit 0, or 111 with one line that
 * says why; the old database then stays as it was.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cdb/cdbmaker.h"
#include "conf/control.h"
#include "sys/home.h"

static bool add_all(struct cdbmaker *m, const struct control_list *hosts, struct err *e)
{
	struct buf key = BUF_INIT(CONTROL_FILE_MAX);
	bool ok = true;

	for (size_t i = 0; ok && i < hosts->n; i++) {
		buf_clear(&key);
		buf_add_lower(&key, hosts->items[i]);
		ok = cdbmaker_add(m, buf_str(&key), STR(""), e);
	}
	buf_free(&key);
	return ok;
}

static bool build(struct err *e)
{
	struct control_list hosts;
	struct cdbmaker m;
	bool ok;

	if (!home_open(e) || !control_list_load("morercpthosts", &hosts, e))
		return false;
	if (!hosts.present)
		return err_temp(e, "unable to read control/morercpthosts: file does not exist");
	umask(033);
	ok = cdbmaker_start(&m, home_dir(), "control/morercpthosts.cdb", "control/morercpthosts.tmp", 0644, e);
	if (ok && !add_all(&m, &hosts, e)) {
		cdbmaker_cancel(&m);
		ok = false;
	}
	ok = ok && cdbmaker_finish(&m, e);
	control_list_free(&hosts);
	return ok;
}

int main(void)
{
	struct err e;

	if (build(&e))
		return 0;
	fprintf(stderr, "qmail-newmrh: fatal: %s\n", e.text);
	return 111;
}
