/*
 * qmHandle: the queue by the options of the tool of that name, for scripts and
 * habits; quill queue does the same and more, and explains itself better.
 *
 * Lists and deletes by patterns look at every message; contents are read only
 * where a pattern asks for them. Deleting is done by the running system.
 */
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "base/mem.h"
#include "queuequery/queuefilter.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/home.h"

#define CONTENT_MAX (64u << 20) /* of a message that is searched */

static const char usage[] =
    "usage: qmHandle [ -a ] [ -l | -L | -R [ -N ] ] [ -s ] [ -mN ] [ -dN ] [ -D ] [ -fsender ] [ -F're' ]\n"
    "                [ -xrecipient ] [ -X're' ] [ -S'text' ] [ -h're' ] [ -b're' ] [ -H're' ] [ -B're' ]\n"
    "                [ -t're' ] [ -V ]\n";

/* What an option asks of a message. */
struct wish {
	char option;
	const char *text;
	uint64_t number;
	regex_t pattern;
};

struct handle {
	struct route_tables routes;
	struct wish *wishes;
	size_t nwishes;
	char list; /* l, L, R or 0 */
	bool numbers, stats, all_now;
	bool contents; /* some wish needs them */
	uint64_t *remove, *retry;
	size_t nremove, nretry;
	size_t total, local, remote, bounces;
	bool removing;
	uint64_t *look; /* messages whose content must be read */
	size_t nlook;
	int code;
};

static int fail(int code, const char *text)
{
	fprintf(stderr, "qmHandle: fatal: %s\n", text);
	return code;
}

static void keep(uint64_t **list, size_t *n, uint64_t id)
{
	if ((*n & (*n - 1)) == 0)
		*list = mem_array(*list, 2 * *n + 1, sizeof **list);
	(*list)[(*n)++] = id;
}

/* ---- options ------------------------------------------------------------------------------------ */

static bool is_pattern(int c)
{
	return c == 'F' || c == 'X' || c == 'h' || c == 'b' || c == 'H' || c == 'B' || c == 't';
}

static bool add_wish(struct handle *h, int c)
{
	struct wish w = { .option = (char)c, .text = optarg };
	int flags = REG_EXTENDED | REG_NOSUB | REG_NEWLINE | (c == 'H' || c == 'B' ? 0 : REG_ICASE);

	if (is_pattern(c) && regcomp(&w.pattern, optarg, flags) != 0) {
		fprintf(stderr, "qmHandle: fatal: -%c %s is no regular expression\n", c, optarg);
		return false;
	}
	if ((c == 'm' || c == 'd') && !str_to_u64(str_of(optarg), &w.number)) {
		fprintf(stderr, "qmHandle: fatal: -%c %s is no message number\n", c, optarg);
		return false;
	}
	h->contents |= strchr("ShbHB", c) != NULL;
	h->wishes = mem_array(h->wishes, h->nwishes + 1, sizeof *h->wishes);
	h->wishes[h->nwishes++] = w;
	return true;
}

static bool read_options(struct handle *h, int argc, char **argv)
{
	int c;

	opterr = 0;
	while ((c = getopt(argc, argv, "aclLNRsDVm:d:f:F:x:X:S:h:b:H:B:t:")) != -1)
		switch (c) {
		case 'a':
			h->all_now = true;
			break;
		case 'c':
			break;
		case 'N':
			h->numbers = true;
			break;
		case 's':
			h->stats = true;
			break;
		case 'l':
		case 'L':
		case 'R':
			h->list = (char)c;
			break;
		case 'V':
			printf("qmHandle of Quillmail\n");
			exit(0);
		case '?':
			return false;
		default:
			if (!add_wish(h, c))
				exit(100);
		}
	return optind == argc && (h->all_now || h->stats || h->list || h->nwishes);
}

/* ---- what is meant ---------------------------------------------------------------------------------- */

static bool fits(const struct wish *w, struct str s)
{
	struct buf text = BUF_INIT(SIZE_MAX);
	bool ok;

	buf_add(&text, s);
	ok = regexec(&w->pattern, buf_cstr(&text), 0, NULL, 0) == 0;
	buf_free(&text);
	return ok;
}

static bool recipient_fits(const struct wish *w, const struct queue_message *m)
{
	for (uint32_t i = 0; i < m->nrecipients; i++)
		if (w->option == 'x' ? str_ieq(m->recipients[i].address, str_of(w->text))
				     : fits(w, m->recipients[i].address))
			return true;
	return false;
}

/* By what the envelope says. */
static bool envelope_fits(const struct wish *w, const struct queue_message *m)
{
	switch (w->option) {
	case 'D':
		return true;
	case 'd':
		return m->id == w->number;
	case 'f':
		return str_ieq(m->sender, str_of(w->text));
	case 'F':
		return fits(w, m->sender);
	case 'x':
	case 'X':
	case 't':
		return recipient_fits(w, m);
	default:
		return false;
	}
}

/* A line of the header by its name, without regard to case; empty if there is none. */
static struct str field(struct str header, const char *name)
{
	struct str line, key, value;

	while (str_next_line(&header, &line))
		if (str_cut(line, ':', &key, &value) && str_ieq(key, str_of(name)))
			return str_trim_start(str_trim_end(value));
	return STR("");
}

static bool content_fits(const struct wish *w, struct str content)
{
	size_t end = str_find(content, STR("\n\n"));
	struct str header = str_head(content, end + 1), body = str_from(content, end + 2);
	struct buf subject = BUF_INIT(SIZE_MAX);
	bool ok = false;

	switch (w->option) {
	case 'S':
		buf_add(&subject, field(header, "Subject"));
		ok = strcasestr(buf_cstr(&subject), w->text) != NULL;
		break;
	case 'h':
	case 'H':
		ok = fits(w, header);
		break;
	case 'b':
	case 'B':
		ok = fits(w, body);
		break;
	default:
		break;
	}
	buf_free(&subject);
	return ok;
}

/* ---- looking at messages --------------------------------------------------------------------------- */

/* Which channels its open recipients use. */
static unsigned channels_of(const struct handle *h, const struct queue_message *m)
{
	struct buf deliver = BUF_INIT(SIZE_MAX);
	unsigned found = 0;

	for (uint32_t i = 0; i < m->nrecipients; i++)
		if (!m->recipients[i].done)
			found |= 1u << route_address(&h->routes, m->recipients[i].address, &deliver).channel;
	buf_free(&deliver);
	return found;
}

static bool wanted_in_list(const struct handle *h, unsigned channels)
{
	return h->list == 'l' || (h->list == 'L' && channels & 1u << ROUTE_LOCAL) ||
	       (h->list == 'R' && channels & 1u << ROUTE_REMOTE);
}

static bool look(void *ctx, const struct queue_message *m)
{
	struct handle *h = ctx;
	unsigned channels = channels_of(h, m);
	bool remove = false;

	h->total++;
	h->local += (channels & 1u << ROUTE_LOCAL) != 0;
	h->remote += (channels & 1u << ROUTE_REMOTE) != 0;
	h->bounces += (m->flags & MESSAGE_FAILED) != 0;
	for (size_t i = 0; i < h->nwishes; i++) {
		if (!envelope_fits(&h->wishes[i], m))
			continue;
		if (h->wishes[i].option == 't')
			keep(&h->retry, &h->nretry, m->id);
		else
			remove = true;
	}
	if (remove)
		keep(&h->remove, &h->nremove, m->id);
	if (h->list && h->numbers && wanted_in_list(h, channels))
		printf("%llu\n", (unsigned long long)m->id);
	if ((h->contents && !remove) || (h->list && !h->numbers && wanted_in_list(h, channels)))
		keep(&h->look, &h->nlook, m->id);
	return true;
}

static void read_content(int fd, size_t max, struct buf *out)
{
	int64_t size = file_size(fd);
	size_t want = size < 0 ? 0 : (uint64_t)size < max ? (size_t)size : max;
	char *room = buf_room(out, want + 1);
	ssize_t n = file_read_at(fd, room, want, 0);

	buf_wrote(out, n > 0 ? (size_t)n : 0);
}

static void print_field(const char *name, struct str value)
{
	struct buf b = BUF_INIT(SIZE_MAX);

	if (value.n == 0)
		return;
	for (size_t i = 0; i < value.n; i++)
		buf_addc(&b, (unsigned char)value.p[i] < 32 || value.p[i] == 127 ? '?' : value.p[i]);
	printf("  %s: %.*s\n", name, STR_ARG(buf_str(&b)));
	buf_free(&b);
}

static void print_listed(const struct handle *h, const struct queue_message *m, struct str content)
{
	static const char *const shown[] = { "From", "To", "Cc", "Subject", "Date" };
	struct str header = str_head(content, str_find(content, STR("\n\n")) + 1);
	unsigned channels = channels_of(h, m);

	printf("%llu (%llu, %s%s)\n", (unsigned long long)m->id, (unsigned long long)(m->id % 23),
	       channels & 1u << ROUTE_LOCAL ? "L" : "", channels & 1u << ROUTE_REMOTE ? "R" : "");
	print_field("Return-path", m->sender);
	for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
		print_field(shown[i], field(header, shown[i]));
	printf("  Size: %llu bytes\n\n", (unsigned long long)m->size);
}

static void look_inside(void *ctx, const struct queue_message *m, int fd)
{
	struct handle *h = ctx;
	struct buf content = BUF_INIT(SIZE_MAX);
	bool remove = false;

	read_content(fd, h->contents ? CONTENT_MAX : 65536, &content);
	for (size_t i = 0; i < h->nwishes; i++)
		remove |= content_fits(&h->wishes[i], buf_str(&content));
	if (remove)
		keep(&h->remove, &h->nremove, m->id);
	if (h->list && !h->numbers && wanted_in_list(h, channels_of(h, m)))
		print_listed(h, m, buf_str(&content));
	buf_free(&content);
}

static void print_content(void *ctx, const struct queue_message *m, int fd)
{
	static char chunk[65536];
	uint64_t at = 0;
	ssize_t n;

	(void)ctx;
	printf("--------------\nMESSAGE NUMBER %llu\n--------------\n", (unsigned long long)m->id);
	while ((n = file_read_at(fd, chunk, sizeof chunk, at)) > 0) {
		fwrite(chunk, 1, (size_t)n, stdout);
		at += (uint64_t)n;
	}
}

/* ---- doing it ------------------------------------------------------------------------------------------ */

static void told(void *ctx, uint64_t id, enum order_status status, struct str text)
{
	struct handle *h = ctx;

	if (status == ORDER_OK && h->removing)
		printf("Message %llu is deleted.\n", (unsigned long long)id);
	if (status == ORDER_OK)
		return;
	fprintf(stderr, "qmHandle: message %llu: %.*s\n", (unsigned long long)id, STR_ARG(text));
	h->code = 1;
}

static bool order(struct handle *h, enum queue_order what, const uint64_t *ids, size_t n, struct err *e)
{
	struct queue_orders o = { .order = what, .ids = ids, .n = n, .told = told, .ctx = h };

	h->removing = what == ORDER_REMOVE;
	return n == 0 || queue_give_orders(&o, e);
}

static bool open_messages(struct handle *h, struct err *e)
{
	struct err one;
	int fd;

	if (!queuequery_connect(&fd, e))
		return false;
	for (size_t i = 0; i < h->nlook; i++)
		queue_with(fd, h->look[i], look_inside, h, &one);
	for (size_t i = 0; i < h->nwishes; i++)
		if (h->wishes[i].option == 'm' && !queue_with(fd, h->wishes[i].number, print_content, h, &one)) {
			fprintf(stderr, "qmHandle: %s\n", one.text);
			h->code = 1;
		}
	close(fd);
	return true;
}

static void report_unknown(struct handle *h)
{
	for (size_t i = 0; i < h->nwishes; i++) {
		bool found = h->wishes[i].option != 'd';

		for (size_t k = 0; !found && k < h->nremove; k++)
			found = h->remove[k] == h->wishes[i].number;
		if (found)
			continue;
		fprintf(stderr, "qmHandle: there is no message %llu in the queue\n",
			(unsigned long long)h->wishes[i].number);
		h->code = 1;
	}
}

static bool see_for_retry(void *ctx, const struct queue_message *m)
{
	struct handle *h = ctx;

	if (!queue_message_held(m))
		keep(&h->retry, &h->nretry, m->id);
	return true;
}

static bool run(struct handle *h, struct err *e)
{
	if (!queue_each(0, look, h, e) || !open_messages(h, e))
		return false;
	report_unknown(h);
	if (!order(h, ORDER_REMOVE, h->remove, h->nremove, e) || (h->all_now && !queue_each(0, see_for_retry, h, e)) ||
	    !order(h, ORDER_RETRY, h->retry, h->nretry, e))
		return false;
	/* What awk and monitoring look for. */
	if (h->stats || (h->list && !h->numbers))
		printf(
		    "Total messages: %zu\nMessages with local recipients: %zu\nMessages with remote recipients: %zu\n"
		    "Messages with bounces: %zu\nMessages in preprocess: 0\n",
		    h->total, h->local, h->remote, h->bounces);
	return true;
}

static void release(struct handle *h)
{
	route_free(&h->routes);
	for (size_t i = 0; i < h->nwishes; i++)
		if (is_pattern(h->wishes[i].option))
			regfree(&h->wishes[i].pattern);
	free(h->wishes);
	free(h->remove);
	free(h->retry);
	free(h->look);
}

int main(int argc, char **argv)
{
	struct handle h = { 0 };
	struct err e;
	bool ok;

	if (!read_options(&h, argc, argv)) {
		fputs(usage, stderr);
		return 100;
	}
	ok = home_open(&e) && route_load(&h.routes, &e) && run(&h, &e);
	release(&h);
	if (ok)
		return h.code;
	fflush(stdout);
	return fail(err_exit_code(&e), e.text);
}
