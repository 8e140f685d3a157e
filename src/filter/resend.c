#include "filter/resend.h"

#include <errno.h>

#include "submit/submit.h"
#include "sys/io.h"

#define CHUNK 65536

static bool put_message(struct submit *s, const struct resend *r, struct err *e)
{
	static char chunk[CHUNK];
	ssize_t n;

	submit_data(s, r->header);
	while ((n = io_read(r->fd, chunk, sizeof chunk)) > 0)
		submit_data(s, (struct str){ chunk, (size_t)n });
	return n == 0 || err_temp(e, "unable to read message: %s", errno_text(errno));
}

static bool commit(struct submit *s, const struct resend *r, pid_t *qp, struct err *e)
{
	struct submit_result result;

	submit_sender(s, r->sender);
	for (size_t i = 0; i < r->n; i++)
		submit_recipient(s, r->to[i]);
	if (submit_commit(s, &result)) {
		*qp = result.qp;
		return true;
	}
	err_temp(e, "%s", result.text);
	if (result.letter == 'D')
		e->kind = ERR_PERMANENT;
	return false;
}

bool resend_message(const struct resend *r, pid_t *qp, struct err *e)
{
	struct submit s = SUBMIT_INIT;
	bool ok;

	if (!submit_begin(&s, true, e)) {
		/* A mail system that does not run today may run tomorrow. */
		e->kind = ERR_TEMPORARY;
		return false;
	}
	ok = put_message(&s, r, e);
	if (ok)
		ok = commit(&s, r, qp, e);
	else
		submit_cancel(&s);
	submit_close(&s);
	return ok;
}
