/*
 * maildirwatch: shows the new messages of $MAILDIR on the screen, again every
 * 30 seconds (contract §19).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "filter/tool.h"
#include "mailbox/glance.h"
#include "mailbox/maildirscan.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/io.h"

#define ME "maildirwatch"
#define START_MAX 16384
#define SCREEN_MAX (1u << 20)
#define PAUSE 30
#define CLEAR "\033[H\033[J"

static void show_message(int dir, const char *path, struct buf *screen)
{
	static char start[START_MAX];
	int fd = file_open(dir, path, O_RDONLY | O_NONBLOCK, 0);
	ssize_t n = fd == -1 ? -1 : file_read_at(fd, start, sizeof start, 0);
	struct str message = { start, n > 0 ? (size_t)n : 0 };

	if (fd != -1)
		file_close(fd);
	/* Somebody has read it in the meantime. */
	if (n < 0)
		return;
	buf_addz(screen, "TO ");
	glance_field(screen, message, STR("Delivered-To"));
	buf_addz(screen, " FROM ");
	glance_field(screen, message, STR("Return-Path"));
	buf_addz(screen, "\n");
	glance_text(screen, message);
	buf_addz(screen, "\n\n");
}

static void show(int dir)
{
	struct buf screen = BUF_INIT(SCREEN_MAX);
	struct maildir_list list;
	struct err e;

	maildir_clean_tmp(dir, clock_wall());
	if (!maildir_scan(dir, false, INT64_MAX, &list, &e))
		tool_die(ME, EXIT_TEMPORARY, "%s", e.text);
	buf_addz(&screen, CLEAR);
	for (size_t i = 0; i < list.n && buf_ok(&screen); i++)
		show_message(dir, list.entry[i].path, &screen);
	if (io_write_all(1, screen.p, screen.n) == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to write: %s", errno_text(errno));
	maildir_list_free(&list);
	buf_free(&screen);
}

int main(void)
{
	const char *maildir = getenv("MAILDIR");
	int dir;

	if (maildir == NULL)
		tool_die(ME, EXIT_TEMPORARY, "MAILDIR not set");
	dir = file_open_dir(AT_FDCWD, maildir);
	if (dir == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to chdir to %s: %s", maildir, errno_text(errno));
	for (;;) {
		show(dir);
		sleep(PAUSE);
	}
}
