#include "multilog/action.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "base/mem.h"
#include "filter/tool.h"
#include "linelog/linepattern.h"
#include "linelog/logdir.h"
#include "sys/io.h"
#include "sys/options.h"

#define STATUS_SIZE (ACTION_LINE_MAX + 1)
#define ALERT_MAX 200 /* bytes of a line that e shows */
#define ALERTS_MAX 16384
#define PAUSE_SECONDS 5

enum kind { SELECT, DESELECT, ALERT, STATUS, DIRECTORY };

struct action {
	enum kind kind;
	struct str pattern;
	const char *file;  /* STATUS */
	char *status;      /* STATUS_SIZE bytes to be written, */
	bool status_fresh; /* if so */
	bool selected;     /* DIRECTORY: the present line goes there */
	struct logdir dir;
};

struct actions {
	const char *me;
	struct action *list;
	size_t n;
	struct buf alerts;
};

static struct action *add(struct actions *a, enum kind kind)
{
	a->list = mem_array(a->list, a->n + 1, sizeof *a->list);
	a->list[a->n] = (struct action){ .kind = kind };
	return &a->list[a->n++];
}

static void add_status(struct actions *a, const char *file)
{
	struct action *action = add(a, STATUS);
	int fd = open(file, O_WRONLY | O_NONBLOCK | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	if (fd == -1)
		tool_die(a->me, EXIT_TEMPORARY, "unable to create %s: %s", file, errno_text(errno));
	close(fd);
	action->file = file;
	action->status = mem_alloc(STATUS_SIZE);
}

static void add_directory(struct actions *a, const struct logdir_settings *set)
{
	struct action *action = add(a, DIRECTORY);
	struct err e;

	if (!logdir_open(&action->dir, set, &e))
		tool_die(a->me, EXIT_TEMPORARY, "%s", e.text);
}

static uint64_t between(uint64_t low, uint64_t value, uint64_t high)
{
	return value < low ? low : value > high ? high : value;
}

/* s, n and ! hold for the directories behind them. What is no action is ignored. */
static void parse(struct actions *a, const char *word, struct logdir_settings *set)
{
	switch (word[0]) {
	case '+':
	case '-':
		add(a, word[0] == '+' ? SELECT : DESELECT)->pattern = str_of(word + 1);
		break;
	case 'e':
		add(a, ALERT);
		break;
	case '=':
		add_status(a, word + 1);
		break;
	case 's':
		set->size = between(LOGDIR_SIZE_MIN, options_number(word + 1, UINT32_MAX), LOGDIR_SIZE_MAX);
		break;
	case 'n':
		set->number = between(LOGDIR_NUMBER_MIN, options_number(word + 1, UINT32_MAX), UINT32_MAX);
		break;
	case '!':
		set->processor = word[1] ? word + 1 : NULL;
		break;
	case '.':
	case '/':
		set->name = word;
		add_directory(a, set);
		break;
	}
}

struct actions *actions_prepare(const char *me, char *const *arguments)
{
	struct logdir_settings set = { .me = me, .size = LOGDIR_SIZE_DEFAULT, .number = LOGDIR_NUMBER_DEFAULT };
	struct actions *a = mem_zero(1, sizeof *a);

	a->me = me;
	a->alerts = BUF_INIT(ALERTS_MAX + ALERT_MAX + 4);
	for (; *arguments; arguments++)
		parse(a, *arguments, &set);
	return a;
}

static void flush_alerts(struct actions *a)
{
	/* Where nobody takes them there is nobody to tell. */
	if (a->alerts.n && io_write_all(2, a->alerts.p, a->alerts.n) == -1)
		buf_clear(&a->alerts);
	buf_clear(&a->alerts);
}

static void alert(struct actions *a, struct str line)
{
	buf_add(&a->alerts, str_head(line, ALERT_MAX));
	if (line.n > ALERT_MAX)
		buf_addz(&a->alerts, "...");
	buf_addc(&a->alerts, '\n');
	if (a->alerts.n >= ALERTS_MAX)
		flush_alerts(a);
}

/* Only the last of the lines that came together is ever to be seen there. */
static void keep_status(struct action *action, struct str line)
{
	memset(action->status, '\n', STATUS_SIZE);
	memcpy(action->status, line.p, line.n);
	action->status_fresh = true;
}

static bool write_status(const struct action *action)
{
	int fd = open(action->file, O_WRONLY | O_NONBLOCK | O_CREAT | O_CLOEXEC, 0600);
	bool ok = fd != -1 && io_write_all(fd, action->status, STATUS_SIZE) == 0;
	int saved = errno;

	if (fd != -1)
		close(fd);
	errno = saved;
	return ok;
}

void actions_line(struct actions *a, struct str line, struct str raw)
{
	bool selected = true;

	for (size_t i = 0; i < a->n; i++) {
		struct action *action = &a->list[i];

		if (action->kind == SELECT || action->kind == DESELECT) {
			if (selected != (action->kind == SELECT) && linepattern_match(action->pattern, line))
				selected = !selected;
			continue;
		}
		action->selected = selected;
		if (!selected)
			continue;
		if (action->kind == ALERT)
			alert(a, line);
		else if (action->kind == STATUS)
			keep_status(action, line);
		else
			logdir_write(&action->dir, raw);
	}
}

void actions_more(struct actions *a, struct str piece)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->list[i].kind == DIRECTORY && a->list[i].selected)
			logdir_write(&a->list[i].dir, piece);
}

void actions_flush(struct actions *a)
{
	flush_alerts(a);
	for (size_t i = 0; i < a->n; i++) {
		struct action *action = &a->list[i];

		if (action->kind == DIRECTORY)
			logdir_flush(&action->dir);
		if (action->kind != STATUS || !action->status_fresh)
			continue;
		while (!write_status(action)) {
			tool_warn(a->me, "unable to write to %s, pausing: %s", action->file, errno_text(errno));
			sleep(PAUSE_SECONDS);
		}
		action->status_fresh = false;
	}
}

void actions_rotate(struct actions *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->list[i].kind == DIRECTORY)
			logdir_rotate(&a->list[i].dir);
}

void actions_close(struct actions *a)
{
	actions_flush(a);
	for (size_t i = 0; i < a->n; i++) {
		if (a->list[i].kind == DIRECTORY)
			logdir_close(&a->list[i].dir);
		free(a->list[i].status);
	}
	free(a->list);
	buf_free(&a->alerts);
	free(a);
}
