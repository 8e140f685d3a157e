#include "inject/setup.h"

#include <stdlib.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/home.h"

#define SETTING_MAX 1024

/* What cannot be read now may be readable later. */
static bool for_now(struct err *e)
{
	e->kind = ERR_TEMPORARY;
	return false;
}

static bool read_error(struct err *e)
{
	err_context(e, "read error");
	return for_now(e);
}

/* $variable (unless it is NULL), else the control file. */
static bool read_setting(const char *variable, const char *file, struct buf *out, struct err *e)
{
	const char *value = variable ? getenv(variable) : NULL;

	if (value == NULL)
		return control_line_or_me(file, file, out, e) || read_error(e);
	buf_addz(out, value);
	return buf_ok(out) || err_perm(e, "$%s is too long", variable);
}

bool setup_read_rules(struct rewrite_rules *rules, bool use_environment, struct err *e)
{
	struct buf host = BUF_INIT(SETTING_MAX), domain = BUF_INIT(SETTING_MAX), plus = BUF_INIT(SETTING_MAX);
	bool ok = read_setting(use_environment ? "QMAILDEFAULTHOST" : NULL, "defaulthost", &host, e) &&
		  read_setting(use_environment ? "QMAILDEFAULTDOMAIN" : NULL, "defaultdomain", &domain, e) &&
		  read_setting(use_environment ? "QMAILPLUSDOMAIN" : NULL, "plusdomain", &plus, e) &&
		  rewrite_init(rules, buf_str(&host), buf_str(&domain), buf_str(&plus), e);

	buf_free(&host);
	buf_free(&domain);
	buf_free(&plus);
	return ok;
}

/* Unknown letters mean nothing. */
static struct compose_options read_letters(const char *letters)
{
	struct compose_options o = { 0 };

	for (; letters && *letters; letters++) {
		o.name_as_comment |= *letters == 'c';
		o.ignore_return_path |= *letters == 's';
		o.delete_from |= *letters == 'f';
		o.delete_message_id |= *letters == 'i';
		o.sender_per_recipient |= *letters == 'r';
		o.sender_per_message |= *letters == 'm';
	}
	return o;
}

bool setup_read(struct setup *s, struct err *e)
{
	const char *followup = getenv("QMAILMFTFILE");

	*s = (struct setup){
		.who = identity_find(getenv),
		.idhost = BUF_INIT(SETTING_MAX),
		.letters = read_letters(getenv("QMAILINJECT")),
	};
	if (!home_open(e))
		return for_now(e);
	if (!setup_read_rules(&s->rules, true, e) || !read_setting("QMAILIDHOST", "idhost", &s->idhost, e))
		return false;
	if (followup && !control_set_load_path(followup, &s->followup, e))
		return read_error(e);
	s->facts = (struct compose_facts){
		.rules = &s->rules,
		.who = &s->who,
		.followup = s->followup.present ? &s->followup : NULL,
		.idhost = buf_str(&s->idhost),
		.time = clock_wall(),
		.pid = (uint64_t)getpid(),
	};
	return true;
}

void setup_free(struct setup *s)
{
	rewrite_free(&s->rules);
	buf_free(&s->idhost);
	control_map_free(&s->followup);
}
