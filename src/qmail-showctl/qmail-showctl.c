/*
 * qmail-showctl: what is configured, in words (contract §17.5).
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/control.h"
#include "conf/controls.h"
#include "conf/foreigncontrols.h"
#include "sys/file.h"
#include "sys/home.h"

#define VALUE_MAX (1u << 20)

static void oops(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

static void oops(const char *fmt, ...)
{
	va_list ap;

	printf("Oops! ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf(".\n");
	exit(111);
}

/* Prints bytes, unprintable ones as '?'. */
static void put_safe(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		putchar(s.p[i] >= 32 && s.p[i] <= 126 ? s.p[i] : '?');
}

/* A route without the passwords in it: they end at the last @ of their word. */
static void put_route(struct str value)
{
	size_t at = str_find(value, STR("://")), colon, end;
	struct str word;

	while (at < value.n) {
		word = str_from(value, at + 3);
		end = str_chr(word, ' ');
		word = str_head(word, end);
		colon = str_chr(word, ':');
		put_safe(str_head(value, at + 3));
		if (str_rchr(word, '@') < word.n && colon < str_rchr(word, '@')) {
			put_safe(str_head(word, colon));
			printf(":(password)");
			word = str_from(word, str_rchr(word, '@'));
		}
		put_safe(word);
		value = str_from(value, at + 3 + end);
		at = str_find(value, STR("://"));
	}
	put_safe(value);
}

static void put_value(const struct controls_file *f, struct str value)
{
	printf("%s", f->before);
	if (strcmp(f->name, "smtproutes") == 0)
		put_route(value);
	else
		put_safe(value);
	printf("%s\n", f->after);
}

static void show_number(const struct controls_file *f)
{
	struct buf line = BUF_INIT(VALUE_MAX);
	uint64_t value = UINT64_MAX;
	bool present;
	struct err e;

	if (!control_line(f->name, &line, &present, &e) || !control_number(f->name, &value, &e))
		oops("%s", e.text);
	/* A file that does not begin with a digit counts as absent. */
	if (line.n == 0 || !chr_digit(*line.p)) {
		printf("(Default.) ");
		put_value(f, str_of(f->fallback));
	} else {
		buf_clear(&line);
		buf_addu(&line, value);
		put_value(f, buf_str(&line));
	}
	buf_free(&line);
}

static void show_line(const struct controls_file *f)
{
	struct buf line = BUF_INIT(VALUE_MAX);
	bool present;
	struct err e;

	if (!control_line(f->name, &line, &present, &e))
		oops("%s", e.text);
	if (!present) {
		printf("(Default.) ");
		buf_addz(&line, f->fallback);
		if (f->kind == CONTROLS_LINE_OR_ME && !control_line_or("me", f->fallback, &line, &e))
			oops("%s", e.text);
	}
	put_value(f, buf_str(&line));
	buf_free(&line);
}

static void show_list(const struct controls_file *f)
{
	struct control_list list;
	struct err e;

	if (!control_list_load(f->name, &list, &e))
		oops("%s", e.text);
	printf(list.present ? "\n" : "(Default.) %s\n", f->fallback);
	for (size_t i = 0; i < list.n; i++)
		put_value(f, list.items[i]);
	control_list_free(&list);
}

static bool file_times(const char *name, struct timespec *changed)
{
	char path[300];
	struct stat st;

	snprintf(path, sizeof path, "control/%s", name);
	if (fstatat(home_dir(), path, &st, 0) == -1)
		return false;
	*changed = st.st_mtim;
	return true;
}

static bool older(struct timespec a, struct timespec b)
{
	return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

/* The familiar sentence, and what it means here. */
static void show_hosts(const struct controls_file *f)
{
	struct timespec t;

	show_list(f);
	if (!file_times(f->name, &t))
		printf("(Any recipient in locals or virtualdomains: mail for others is not relayed.)\n");
}

static void show_more_hosts(const struct controls_file *f)
{
	struct controls_file irrelevant = *f;
	struct timespec t;

	irrelevant.fallback = "No rcpthosts; morercpthosts is irrelevant.";
	irrelevant.before = "No rcpthosts; doesn't matter that morercpthosts has ";
	show_list(file_times("rcpthosts", &t) ? f : &irrelevant);
}

static void show_more_hosts_database(const struct controls_file *f)
{
	struct timespec text, database;
	bool has_text = file_times("morercpthosts", &text), has_database = file_times(f->name, &database);

	if (!has_text && !has_database)
		printf("(Default.) %s\n", f->fallback);
	else if (!has_text)
		printf("Oops! morercpthosts.cdb exists but morercpthosts doesn't.\n");
	else if (!has_database)
		printf("Oops! morercpthosts exists but morercpthosts.cdb doesn't.\n");
	else if (older(database, text))
		printf("Oops! morercpthosts.cdb is older than morercpthosts.\n");
	else
		printf("Modified recently enough; hopefully up to date.\n");
}

static void show(const struct controls_file *f)
{
	struct timespec t;

	if (f->ours && !file_times(f->name, &t))
		return;
	printf("\n%s: ", f->name);
	if (strcmp(f->name, "rcpthosts") == 0) {
		show_hosts(f);
		return;
	}
	if (strcmp(f->name, "morercpthosts") == 0) {
		show_more_hosts(f);
		return;
	}
	switch (f->kind) {
	case CONTROLS_LINE:
	case CONTROLS_LINE_OR_ME:
		show_line(f);
		break;
	case CONTROLS_NUMBER:
		show_number(f);
		break;
	case CONTROLS_LIST:
	case CONTROLS_MAP:
		show_list(f);
		break;
	case CONTROLS_DATABASE:
		show_more_hosts_database(f);
		break;
	case CONTROLS_PRESENT:
		printf("%s\n", f->before);
		break;
	}
}

struct names {
	char **items;
	size_t n;
};

static bool collect_unknown(void *ctx, const char *name)
{
	struct names *names = ctx;

	if (*name == '.' || controls_find(name))
		return true;
	names->items = mem_array(names->items, names->n + 1, sizeof *names->items);
	names->items[names->n++] = mem_copy(str_of(name));
	return true;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Patched qmails have more files; it is known whose some are. */
static void show_foreign(const char *name)
{
	const struct foreigncontrol *f = foreigncontrols_find(name);

	if (f)
		printf(" (It is read by %s%s%s.)", f->reader, *f->instead ? "; here: " : "", f->instead);
	printf("\n");
}

static void show_unknown(void)
{
	struct names names = { 0 };
	int dir = file_open_dir(home_dir(), "control");

	if (dir == -1 || file_list(dir, collect_unknown, &names) == -1)
		oops("Unable to open control directory: %s", errno_text(errno));
	file_close(dir);
	if (names.n)
		qsort(names.items, names.n, sizeof *names.items, compare_names);
	for (size_t i = 0; i < names.n; i++) {
		printf("\n");
		put_safe(str_of(names.items[i]));
		printf(": I have no idea what this file does.");
		show_foreign(names.items[i]);
		free(names.items[i]);
	}
	free(names.items);
}

static void put_id(const char *before, bool known, unsigned long id)
{
	if (known)
		printf("%s%lu", before, id);
	else
		printf("%snone", before);
}

static void show_accounts(void)
{
	static const char *const users[] = {
		"alias", "qmaild", "qmaill", "root", "qmailp", "qmailq", "qmailr", "qmails"
	};
	static const char *const groups[] = { "nofiles", "qmail" };

	printf("user ids:");
	for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
		const struct passwd *pw = getpwnam(users[i]);

		put_id(i ? ", " : " ", pw != NULL, pw ? pw->pw_uid : 0);
	}
	printf(".\ngroup ids:");
	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
		const struct group *gr = getgrnam(groups[i]);

		put_id(i ? ", " : " ", gr != NULL, gr ? gr->gr_gid : 0);
	}
	printf(".\n");
}

int main(void)
{
	const struct controls_file *files;
	struct err e;
	size_t n;

	if (!home_enter(&e))
		oops("%s", e.text);
	files = controls_all(&n);
	printf("qmail home directory: ");
	put_safe(str_of(home_path()));
	printf(".\nuser-ext delimiter: -.\npaternalism (in decimal): 2.\nsilent concurrency limit: 120.\n"
	       "subdirectory split: 23.\n");
	show_accounts();
	for (size_t i = 0; i < n; i++)
		show(&files[i]);
	show_unknown();
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 111;
}
