#include "local/maildirplus.h"

#include <errno.h>
#include <fcntl.h>

#include "local/maildir.h"
#include "mailbox/maildirmaker.h"
#include "mailbox/maildirquota.h"
#include "sys/file.h"

static bool room(const struct maildirquota *q, uint64_t bytes, bool bounce, struct err *e)
{
	bool fits = true;

	if (q->dir != -1 && !maildirquota_fits(q, bytes, &fits, e))
		return err_temp(e, "Unable to find out whether the mailbox is full. (#4.3.0)");
	if (fits)
		return true;
	return bounce ? err_perm(e, "Sorry, the mailbox is full: its quota leaves no room for this message. (#5.2.2)")
		      : err_temp(e, "The mailbox is full: its quota leaves no room for this message. (#4.2.2)");
}

static bool make(const char *dir, struct err *e)
{
	int fd = file_open_dir(AT_FDCWD, dir);

	if (fd != -1)
		file_close(fd);
	if (fd != -1 || errno != ENOENT || maildir_make(dir, e))
		return true;
	return err_temp(e, "Unable to make the maildir. (#4.2.1)");
}

bool maildirplus_deliver(const char *dir, struct str header, struct message *m, const struct maildirplus_rules *rules,
			 struct err *e)
{
	uint64_t bytes = header.n + m->size;
	struct maildirquota q;
	bool ok;

	if (rules->make && !make(dir, e))
		return false;
	if (!maildirquota_open(dir, rules->quota, &q, e))
		return err_temp(e, "Unable to find out whether the mailbox is full. (#4.3.0)");
	ok = room(&q, bytes, rules->bounce_full, e) && maildir_deliver(dir, header, m, e);
	if (ok && q.dir != -1)
		maildirquota_count(&q, (int64_t)bytes, 1);
	maildirquota_close(&q);
	return ok;
}

uint64_t maildirplus_room(const char *dir, const struct maildirplus_rules *rules)
{
	uint64_t bytes = UINT64_MAX;
	struct maildirquota q;
	struct err e;

	if (!maildirquota_open(dir, rules->quota, &q, &e))
		return UINT64_MAX;
	if (q.dir != -1 && !maildirquota_room(&q, &bytes, &e))
		bytes = UINT64_MAX;
	/* Nothing is there yet. */
	if (q.dir == -1 && rules->quota && rules->quota->bytes)
		bytes = rules->quota->bytes;
	maildirquota_close(&q);
	return bytes;
}
