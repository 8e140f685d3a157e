#include "outbound/outsettings.h"

#define SECONDS_MAX (7u * 86400)

/* A timeout that is used as milliseconds in an int somewhere must stay far below its limits. */
static bool load_seconds(const char *name, uint64_t preset, uint64_t *value, struct err *e)
{
	*value = preset;
	if (!control_number(name, value, e))
		return false;
	if (*value == 0)
		*value = 1;
	if (*value > SECONDS_MAX)
		*value = SECONDS_MAX;
	return true;
}

static bool load(struct outsettings *s, struct err *e)
{
	bool present;

	if (!control_line_or_me("helohost", "", &s->helo, e) || !control_line("me", &s->me, &present, e) ||
	    !control_map_load("smtproutes", &s->smtproutes, e) ||
	    !load_seconds("timeoutconnect", 60, &s->timeout_connect, e) ||
	    !load_seconds("timeoutremote", 1200, &s->timeout_remote, e))
		return false;
	s->per_host = 20;
	if (!control_number("concurrencyperhost", &s->per_host, e))
		return false;
	if (s->per_host == 0)
		s->per_host = 1;
	if (s->helo.n == 0)
		return err_perm(e, "no name for HELO: put this host's name into control/me");
	if (str_has_control(buf_str(&s->helo)))
		return err_perm(e, "control/helohost has control characters");
	return true;
}

bool outsettings_load(struct outsettings *s, struct err *e)
{
	*s = (struct outsettings){ .helo = BUF_INIT(1000), .me = BUF_INIT(1000) };
	if (!load(s, e)) {
		outsettings_free(s);
		return false;
	}
	ownaddresses_load(&s->own);
	return true;
}

void outsettings_free(struct outsettings *s)
{
	buf_free(&s->helo);
	buf_free(&s->me);
	control_map_free(&s->smtproutes);
	ownaddresses_free(&s->own);
}

uint64_t outsettings_fingerprint(void)
{
	static const char *const files[] = {
		"me", "helohost", "smtproutes", "timeoutconnect", "timeoutremote", "concurrencyperhost"
	};

	return control_fingerprint(files, sizeof files / sizeof *files);
}
