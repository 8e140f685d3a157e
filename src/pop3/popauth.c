#include "pop3/popauth.h"

#define OK "+OK \r\n"
#define ERRORS_MAX 50

static enum popauth_next error(struct popauth *a, struct buf *out, const char *text)
{
	buf_addf(out, "-ERR %s\r\n", text);
	return ++a->errors > ERRORS_MAX ? POPAUTH_END : POPAUTH_LINE;
}

static enum popauth_next ok(struct buf *out)
{
	buf_addz(out, OK);
	return POPAUTH_LINE;
}

void popauth_greet(const struct popauth *a, struct buf *out)
{
	buf_addf(out, "+OK %s\r\n", a->stamp);
}

static bool may_log_in(const struct popauth *a)
{
	return a->tls_active || !a->tls_required;
}

static enum popauth_next check(struct popauth *a, struct str login, struct str password, struct buf *out)
{
	/* A NUL would begin another field. */
	if (str_chr(login, 0) < login.n || str_chr(password, 0) < password.n)
		return error(a, out, "syntax error");
	buf_clear(&a->credentials);
	buf_add(&a->credentials, login);
	buf_addc(&a->credentials, 0);
	buf_add(&a->credentials, password);
	buf_addc(&a->credentials, 0);
	buf_addz(&a->credentials, a->stamp);
	buf_addc(&a->credentials, 0);
	return buf_ok(&a->credentials) ? POPAUTH_LOGIN : error(a, out, "syntax error");
}

static enum popauth_next do_user(struct popauth *a, struct str argument, struct buf *out)
{
	if (argument.n == 0)
		return error(a, out, "syntax error");
	buf_clear(&a->user);
	buf_add(&a->user, argument);
	return ok(out);
}

static enum popauth_next do_pass(struct popauth *a, struct str argument, struct buf *out)
{
	if (a->user.n == 0)
		return error(a, out, "USER first");
	if (argument.n == 0)
		return error(a, out, "syntax error");
	return check(a, buf_str(&a->user), argument, out);
}

static enum popauth_next do_apop(struct popauth *a, struct str argument, struct buf *out)
{
	struct str login, digest;

	if (!str_cut(argument, ' ', &login, &digest))
		return error(a, out, "syntax error");
	return check(a, login, digest, out);
}

static enum popauth_next sasl_next(struct popauth *a, enum sasl_step step, struct buf *out)
{
	a->in_sasl = step == SASL_CONTINUE;
	switch (step) {
	case SASL_CONTINUE:
		buf_addf(out, "+ %s\r\n", buf_cstr(&a->sasl.challenge));
		return POPAUTH_LINE;
	case SASL_DONE:
		return check(a, buf_str(&a->sasl.user), buf_str(&a->sasl.password), out);
	case SASL_CANCELLED:
		return error(a, out, "authorization cancelled");
	case SASL_UNKNOWN:
		return error(a, out, "unknown mechanism");
	default:
		return error(a, out, "syntax error");
	}
}

static enum popauth_next do_auth(struct popauth *a, struct str argument, struct buf *out)
{
	struct str mechanism, initial;

	if (argument.n == 0) {
		buf_addz(out, OK "PLAIN\r\nLOGIN\r\n.\r\n");
		return POPAUTH_LINE;
	}
	str_cut(argument, ' ', &mechanism, &initial);
	return sasl_next(a, sasl_start(&a->sasl, mechanism, initial), out);
}

static enum popauth_next do_capa(struct popauth *a, struct str argument, struct buf *out)
{
	(void)argument;
	buf_addz(out, OK "TOP\r\nUIDL\r\n");
	if (may_log_in(a))
		buf_addz(out, "USER\r\nSASL " SASL_MECHANISMS "\r\n");
	if (a->tls_offered && !a->tls_active)
		buf_addz(out, "STLS\r\n");
	buf_addz(out, "PIPELINING\r\nEXPIRE NEVER\r\nUTF8 USER\r\nIMPLEMENTATION Quillmail\r\n.\r\n");
	return POPAUTH_LINE;
}

static enum popauth_next do_stls(struct popauth *a, struct str argument, struct buf *out)
{
	if (argument.n)
		return error(a, out, "syntax error");
	if (a->tls_active)
		return error(a, out, "TLS is active already");
	if (!a->tls_offered)
		return error(a, out, "TLS is not available");
	buf_addz(out, "+OK begin TLS\r\n");
	return POPAUTH_TLS;
}

/* RFC 6856: messages go out as they are in any case. */
static enum popauth_next do_nothing(struct popauth *a, struct str argument, struct buf *out)
{
	(void)a, (void)argument;
	return ok(out);
}

static enum popauth_next do_quit(struct popauth *a, struct str argument, struct buf *out)
{
	(void)a, (void)argument;
	buf_addz(out, OK);
	return POPAUTH_END;
}

enum popauth_next popauth_line(struct popauth *a, struct str line, struct buf *out)
{
	static const struct {
		const char *verb;
		enum popauth_next (*run)(struct popauth *a, struct str argument, struct buf *out);
		bool secret; /* its argument is nobody's business */
	} verbs[] = {
		{ "USER", do_user, true },     { "PASS", do_pass, true },     { "APOP", do_apop, true },
		{ "AUTH", do_auth, true },     { "CAPA", do_capa, false },    { "STLS", do_stls, false },
		{ "UTF8", do_nothing, false }, { "NOOP", do_nothing, false }, { "QUIT", do_quit, false },
	};
	struct popcommand c;

	if (a->in_sasl)
		return sasl_next(a, sasl_answer(&a->sasl, line), out);
	c = popcommand_parse(line);
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		if (!popcommand_is(&c, verbs[i].verb))
			continue;
		if (verbs[i].secret && !may_log_in(a))
			return error(a, out, "STLS first");
		return verbs[i].run(a, c.argument, out);
	}
	return error(a, out, "authorization first");
}

void popauth_secure(struct popauth *a)
{
	a->tls_active = true;
	buf_clear(&a->user);
}

void popauth_free(struct popauth *a)
{
	buf_free_secret(&a->credentials);
	buf_free(&a->user);
	sasl_free(&a->sasl);
}
