/* send_config: the control files of qmail-send (contract §2.2). */
#include "qmail-send/send.h"

#define LINE_MAX_BYTES 2000
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

bool send_config_load(struct sender *s, struct err *e)
{
	struct send_config *c = &s->config;

	c->bouncefrom = c->bouncehost = c->doublebounceto = c->doublebouncehost = BUF_INIT(LINE_MAX_BYTES);
	c->lifetime = 604800;
	if (!control_number("queuelifetime", &c->lifetime, e))
		return false;
	if (c->lifetime > INT64_MAX / 4)
		c->lifetime = INT64_MAX / 4;
	return read_concurrency("concurrencylocal", 10, &c->concurrency[SCHED_LOCAL], e) &&
	       read_concurrency("concurrencyremote", 20, &c->concurrency[SCHED_REMOTE], e) &&
	       control_line_or("bouncefrom", "MAILER-DAEMON", &c->bouncefrom, e) &&
	       control_line_or_me("bouncehost", "bouncehost", &c->bouncehost, e) &&
	       control_line_or("doublebounceto", "postmaster", &c->doublebounceto, e) &&
	       control_line_or_me("doublebouncehost", "doublebouncehost", &c->doublebouncehost, e) &&
	       route_load(&s->routes, e);
}
