/* send_config: the control files of qmail-send (contract §2.2). */
#include "qmail-send/send.h"

#define LINE_MAX_BYTES 2000
#define BOUNCE_MAX (4u << 20)
#define DELAY 14400
#define CONCURRENCY_MAX 10000 /* more slots than any machine can use */

static bool read_concurrency(const char *name, uint64_t standard, uint64_t *value, struct err *e)
{
	*value = standard;
	if (!control_number(name, value, e))
		return false;
	if (*value > CONCURRENCY_MAX)
		*value = CONCURRENCY_MAX;
	return true;
}

static bool read_bounce_form(struct send_config *c, struct err *e)
{
	struct buf form = BUF_INIT(LINE_MAX_BYTES);
	bool ok = control_line_or("bounceformat", "mime", &form, e);

	c->plain_bounces = str_ieq(buf_str(&form), STR("qsbmf"));
	if (ok && !c->plain_bounces && !str_ieq(buf_str(&form), STR("mime")))
		ok = err_perm(e, "control/bounceformat says neither mime nor qsbmf");
	buf_free(&form);
	c->bounce_max = BOUNCE_MAX;
	return ok && control_number("bouncemaxbytes", &c->bounce_max, e);
}

static bool read_log_format(struct err *e)
{
	struct buf word = BUF_INIT(LINE_MAX_BYTES);
	bool ok = control_line_or("logformat", "qmail", &word, e);

	if (str_ieq(buf_str(&word), STR("json")))
		log_set_format(LOG_JSON);
	else if (str_ieq(buf_str(&word), STR("json-only")))
		log_set_format(LOG_JSON_ONLY);
	else if (ok && !str_ieq(buf_str(&word), STR("qmail")))
		log_line("warning: control/logformat says neither qmail nor json nor json-only");
	buf_free(&word);
	return ok;
}

/* 0: nobody is told of delays who has not asked for it. */
static bool read_delay(struct send_config *c, struct err *e)
{
	uint64_t seconds = DELAY;

	if (!control_number("delaynotice", &seconds, e))
		return false;
	c->tell_delays = seconds != 0;
	c->delay = seconds == 0 ? DELAY : seconds > INT64_MAX / 4 ? INT64_MAX / 4 : (int64_t)seconds;
	return true;
}

static void free_settings(struct send_config *c)
{
	buf_free(&c->bouncefrom);
	buf_free(&c->bouncehost);
	buf_free(&c->doublebounceto);
	buf_free(&c->doublebouncehost);
}

static bool read_settings(struct send_config *c, struct err *e)
{
	c->bouncefrom = c->bouncehost = c->doublebounceto = c->doublebouncehost = BUF_INIT(LINE_MAX_BYTES);
	c->lifetime = 604800;
	if (!control_number("queuelifetime", &c->lifetime, e))
		return false;
	if (c->lifetime > INT64_MAX / 4)
		c->lifetime = INT64_MAX / 4;
	return read_log_format(e) && read_bounce_form(c, e) && read_delay(c, e) &&
	       read_concurrency("concurrencylocal", 10, &c->concurrency[SCHED_LOCAL], e) &&
	       read_concurrency("concurrencyremote", 20, &c->concurrency[SCHED_REMOTE], e) &&
	       control_line_or("bouncefrom", "MAILER-DAEMON", &c->bouncefrom, e) &&
	       control_line_or_me("bouncehost", "bouncehost", &c->bouncehost, e) &&
	       control_line_or("doublebounceto", "postmaster", &c->doublebounceto, e) &&
	       control_line_or_me("doublebouncehost", "doublebouncehost", &c->doublebouncehost, e);
}

bool send_config_load(struct sender *s, struct err *e)
{
	return read_settings(&s->config, e) && route_load(&s->routes, e) && policies_load(s, e);
}

bool send_config_reload(struct sender *s, struct err *e)
{
	struct send_config new = { 0 };

	if (!read_settings(&new, e)) {
		free_settings(&new);
		return err_context(e, "unable to reread controls");
	}
	for (int c = 0; c < SCHED_CHANNELS; c++)
		/* One that is stopped gets its limit when it starts again. */
		if (sched_limit(s->sched, c) == s->config.concurrency[c])
			sched_set_limit(s->sched, c, (uint32_t) new.concurrency[c]);
	sched_set_lifetime(s->sched, (int64_t) new.lifetime);
	free_settings(&s->config);
	s->config = new;
	return true;
}
