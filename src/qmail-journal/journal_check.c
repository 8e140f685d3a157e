/* journal_check: qmail-journal --check, verifying a queue that is not running. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "base/date.h"
#include "base/mem.h"
#include "qmail-journal/journal_server.h"
#include "sys/file.h"
#include "sys/home.h"
#include "wire/wire.h"

static void print_warning(void *ctx, const char *text)
{
	size_t *count = ctx;

	printf("damage: %s\n", text);
	++*count;
}

struct ids {
	uint64_t *items;
	size_t n;
};

static void collect(void *ctx, const struct journal_info *info)
{
	struct ids *ids = ctx;

	ids->items[ids->n++] = info->id;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void print_message(struct journal *j, const struct journal_envelope *env)
{
	struct wire_reader r = wire_reader(env->recipients);
	struct buf line = BUF_INIT(SIZE_MAX);
	uint32_t done = 0;

	for (uint32_t i = 0; i < env->nrecipients; i++)
		done += journal_done(j, env->id, i);
	buf_addf(&line, "message %llu: ", (unsigned long long)env->id);
	date_add_822(&line, env->birth);
	buf_addf(&line, ", %llu bytes, from <", (unsigned long long)env->size);
	buf_add_visible(&line, env->sender);
	buf_addf(&line, ">, %lu of %lu recipients done%s\n", (unsigned long)done, (unsigned long)env->nrecipients,
		 env->failed ? ", some failed" : "");
	for (uint32_t i = 0; i < env->nrecipients; i++) {
		struct str address = wire_get_str(&r, SIZE_MAX);

		wire_get_str(&r, SIZE_MAX);
		buf_addz(&line, journal_done(j, env->id, i) ? "  done  " : "        ");
		buf_add_visible(&line, address);
		buf_addc(&line, '\n');
	}
	fwrite(line.p, 1, line.n, stdout);
	buf_free(&line);
}

/* A body file is verified here only: reading gigabytes would hold up the running journal. */
static bool body_is_sound(struct journal *j, const struct journal_envelope *env)
{
	static char chunk[1u << 20];
	int fd = journal_open_body(j, env->id);
	uint32_t crc = 0;
	uint64_t at = 0;
	ssize_t n = 0;

	if (fd == -1)
		return false;
	while ((n = file_read_at(fd, chunk, sizeof chunk, at)) > 0) {
		crc = crc32c(crc, chunk, (size_t)n);
		at += (uint64_t)n;
	}
	file_close(fd);
	return n == 0 && at == env->size && crc == env->body_crc;
}

int journal_check(const char *dir)
{
	size_t damage = 0;
	struct journal_options o = { .read_only = true, .warn = print_warning, .ctx = &damage };
	struct journal_stats stats;
	struct journal *j;
	struct ids ids = { 0 };
	struct err e;
	int queue;

	if (dir == NULL) {
		if (!home_enter(&e)) {
			fprintf(stderr, "qmail-journal: %s\n", e.text);
			return 111;
		}
		dir = "queue";
	}
	queue = file_open_dir(AT_FDCWD, dir);
	if (queue == -1) {
		fprintf(stderr, "qmail-journal: unable to open %s: %s\n", dir, errno_text(errno));
		return 111;
	}
	if (!journal_open(queue, &o, &j, &e)) {
		fprintf(stderr, "qmail-journal: %s\n", e.text);
		return 111;
	}
	ids.items = mem_array(NULL, journal_count(j) + 1, sizeof *ids.items);
	journal_each(j, collect, &ids);
	if (ids.n)
		qsort(ids.items, ids.n, sizeof *ids.items, by_number);
	for (size_t i = 0; i < ids.n; i++) {
		struct journal_envelope env;

		if (!journal_read_envelope(j, ids.items[i], &env, &e))
			continue;
		print_message(j, &env);
		if (env.has_body && !body_is_sound(j, &env)) {
			printf("damage: message %llu: queue/body/%llu is not what was accepted\n",
			       (unsigned long long)env.id, (unsigned long long)env.id);
			damage++;
		}
		buf_free(&env.storage);
	}
	journal_stats(j, &stats);
	printf("%llu messages in %llu segments, %llu bytes live, %zu damaged places\n", (unsigned long long)stats.live,
	       (unsigned long long)stats.segments, (unsigned long long)stats.live_bytes, damage);
	free(ids.items);
	journal_close(j);
	return damage ? 1 : 0;
}
