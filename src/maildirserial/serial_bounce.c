#include <errno.h>
#include <unistd.h>

#include "maildirserial/maildirserial.h"
#include "notice/notice.h"
#include "submit/submit.h"
#include "sys/clock.h"
#include "sys/io.h"

#define TOO_OLD "This message is too old. Giving up.\n"
#define CHUNK 65536

/* The sender of bounces of bounces, which must never bounce again. */
#define NOBODY STR("#@[]")

static bool copy(struct submit *submit, int fd)
{
	static char chunk[CHUNK];
	ssize_t r;

	while ((r = io_read(fd, chunk, sizeof chunk)) > 0)
		submit_data(submit, (struct str){ chunk, (size_t)r });
	return r == 0;
}

static void compose(struct submit *submit, const struct serial_settings *s, const struct serialhead *head,
		    struct str report, struct str to)
{
	struct notice_recipient recipient = { .address = buf_str(&head->recipient), .report = report };
	struct notice n = {
		.kind = head->sender.n ? NOTICE_BOUNCE : NOTICE_DOUBLE_BOUNCE,
		.plain = true,
		.program = "maildirbounce",
		.from = buf_str(&s->bouncefrom),
		.host = buf_str(&s->bouncehost),
		.to = to,
		.return_path = buf_str(&head->sender),
		.now = clock_wall(),
		.recipients = &recipient,
		.n = 1,
	};
	struct buf text = BUF_INIT(1u << 20);

	notice_head(&text, &n);
	submit_data(submit, buf_str(&text));
	buf_free(&text);
}

static bool submit_bounce(const struct serial_settings *s, const struct serialhead *head, int fd, struct str report,
			  struct submit_result *r)
{
	struct submit submit = SUBMIT_INIT;
	struct buf to = BUF_INIT(2 * SERIALHEAD_MAX);
	struct err e;
	bool ok;

	buf_add(&to, buf_str(&head->sender));
	if (to.n == 0) {
		buf_add(&to, buf_str(&s->doubleto));
		buf_addc(&to, '@');
		buf_add(&to, buf_str(&s->doublehost));
	}
	*r = (struct submit_result){ .text = "unable to reach the queue" };
	ok = submit_begin(&submit, true, &e);
	if (ok) {
		compose(&submit, s, head, report, buf_str(&to));
		submit_sender(&submit, head->sender.n ? STR("") : NOBODY);
		submit_recipient(&submit, buf_str(&to));
		ok = copy(&submit, fd) && submit_commit(&submit, r);
		submit_close(&submit);
	}
	buf_free(&to);
	return ok;
}

bool serial_bounce(const struct serial_settings *s, const char *path, struct str text, bool too_old)
{
	struct serialhead head = SERIALHEAD_INIT;
	struct buf report = BUF_INIT(10000);
	struct submit_result r;
	struct err e;
	int fd = serialhead_open(path, s->prefix, &head, &e);
	bool ok = false;

	if (fd == -1) {
		serial_warning("unable to bounce %s: %s", path, e.kind == ERR_NONE ? "it has changed" : e.text);
		return false;
	}
	buf_add(&report, text);
	buf_addz(&report, too_old ? "\n" TOO_OLD : "\n");
	if (str_eq(buf_str(&head.sender), NOBODY)) {
		serial_info("discarding %s: triple bounce", path);
		ok = true;
	} else {
		ok = submit_bounce(s, &head, fd, buf_str(&report), &r);
		if (ok)
			serial_info("returned %s: qp %ld", path, (long)r.qp);
		else
			serial_warning("unable to bounce %s: %s", path, r.text);
	}
	close(fd);
	serialhead_free(&head);
	buf_free(&report);
	return ok;
}
