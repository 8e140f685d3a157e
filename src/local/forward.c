#include "local/forward.h"

#include "mail/dsn.h"
#include "submit/submit.h"

static bool put_message(struct submit *s, const struct forward *f, struct message *m, struct err *e)
{
	uint64_t offset = 0;
	struct str block;

	submit_data(s, f->header);
	while (message_block(m, offset, &block, e)) {
		if (block.n == 0)
			return true;
		submit_data(s, block);
		offset += block.n;
	}
	return false;
}

static bool commit(struct submit *s, pid_t *qp, struct err *e)
{
	struct submit_result r;

	if (submit_commit(s, &r)) {
		*qp = r.qp;
		return true;
	}
	err_temp(e, "Unable to forward message: %s.", r.text);
	if (r.letter == 'D')
		e->kind = ERR_PERMANENT;
	return false;
}

/* RFC 3461 §5.2.7.3: success is reported here. */
static void put_recipients(struct submit *s, const struct forward *f)
{
	const struct local_wishes *w = f->wishes;

	if (w)
		submit_dsn(s, w->ret, str_of(w->envid));
	for (size_t i = 0; i < f->n; i++) {
		submit_recipient(s, f->address[i]);
		if (w)
			submit_recipient_dsn(s, dsn_notify_forward(w->notify), str_of(w->orcpt));
	}
}

bool forward_send(const struct forward *f, struct message *m, pid_t *qp, struct err *e)
{
	struct submit s = SUBMIT_INIT;
	bool ok;

	if (!submit_begin(&s, true, e)) {
		char cause[sizeof e->text];

		memcpy(cause, e->text, sizeof cause);
		return err_temp(e, "Unable to forward message: %.400s. (#4.3.0)", cause);
	}
	ok = put_message(&s, f, m, e);
	if (ok) {
		submit_sender(&s, str_of(f->sender));
		put_recipients(&s, f);
		ok = commit(&s, qp, e);
	} else {
		submit_cancel(&s);
	}
	submit_close(&s);
	return ok;
}
