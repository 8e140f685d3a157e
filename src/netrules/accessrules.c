#include "netrules/accessrules.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cdb/cdbrecords.h"
#include "sys/io.h"

#define RULES_MAX (1u << 30)

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool accessrules_refresh(struct accessrules *r)
{
	struct stat before = r->file.seen;
	bool was_ok = r->ok, was_present = r->file.present;

	if (r->path == NULL)
		return false;
	if (r->file.path)
		r->ok = cdbfile_refresh(&r->file, &r->error);
	else
		r->ok = cdbfile_open(&r->file, AT_FDCWD, r->path, &r->error);
	return was_ok != r->ok || was_present != r->file.present || !same_file(&before, &r->file.seen);
}

/* Does the rule let the client in? */
static bool obey(struct str value, void (*set)(void *ctx, struct str name, struct str value), void *ctx)
{
	struct str assignment, name, text;
	bool allowed = true;

	for (enum rule_item item; (item = rulelookup_next(&value, &assignment)) != RULE_END;) {
		if (item == RULE_DENY)
			allowed = false;
		else if (str_cut(assignment, '=', &name, &text))
			set(ctx, name, text);
		else
			set(ctx, assignment, (struct str){ NULL, 0 });
	}
	return allowed;
}

enum access accessrules_ask(const struct accessrules *r, const struct rule_client *client,
			    void (*set)(void *ctx, struct str name, struct str value), void *ctx, struct err *e)
{
	struct rule rule = RULE_INIT;
	enum access answer = ACCESS_ALLOWED;

	if (r->path == NULL)
		return ACCESS_ALLOWED;
	if (!r->ok) {
		*e = r->error;
		return ACCESS_TROUBLE;
	}
	if (!r->file.present && !r->may_miss) {
		err_sys(e, ENOENT, "missing");
		return ACCESS_TROUBLE;
	}
	if (!rulelookup_find(&r->file, client, &rule, e))
		answer = ACCESS_TROUBLE;
	else if (rule.found && !obey(rule.value, set, ctx))
		answer = ACCESS_DENIED;
	buf_free(&rule.key);
	return answer;
}

static bool rule_sets(struct str value, struct str variable)
{
	struct str assignment, name, text;

	for (enum rule_item item; (item = rulelookup_next(&value, &assignment)) != RULE_END;)
		if (item == RULE_SET && str_cut(assignment, '=', &name, &text) && str_eq(name, variable))
			return true;
	return false;
}

bool accessrules_mention(const struct accessrules *r, const char *variable)
{
	struct buf image = BUF_INIT(RULES_MAX);
	struct cdbrecords records;
	struct str key, value;
	bool found = false;
	int fd;

	if (r->path == NULL || (fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) == -1)
		return false;
	if (io_read_rest(fd, &image)) {
		records = cdbrecords_of(buf_str(&image));
		while (!found && cdbrecords_next(&records, &key, &value))
			found = rule_sets(value, str_of(variable));
	}
	close(fd);
	buf_free(&image);
	return found;
}
