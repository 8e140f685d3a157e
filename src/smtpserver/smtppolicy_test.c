#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cdb/cdbmaker.h"
#include "smtpserver/smtppolicy.h"
#include "sys/file.h"
#include "sys/home.h"
#include "testing/testplace.h"

static void put(const char *name, const char *text)
{
	char path[200];

	snprintf(path, sizeof path, "control/%s", name);
	testplace_putz(path, text);
}

static bool drop(void *ctx, const char *name)
{
	int *dir = ctx;

	return file_unlink(*dir, name) == 0;
}

static void remove_files(void)
{
	int dir = file_open_dir(AT_FDCWD, "control");

	assert_int_equal(file_list(dir, drop, &dir), 0);
	file_close(dir);
}

static int only_me(void **state)
{
	(void)state;
	remove_files();
	put("me", "mx.test\n");
	return 0;
}

static struct smtp_policy load(void)
{
	struct smtp_policy p;
	struct err e;

	if (!smtp_policy_load(&p, &e))
		fail_msg("%s", e.text);
	return p;
}

static enum smtp_permission ask(struct smtp_policy *p, const char *address)
{
	struct str s = str_of(address);
	struct err e;

	return smtp_policy_recipient(p, s, str_rchr(s, '@'), &e);
}

static void without_rcpthosts_only_our_own_domains(void **state)
{
	struct smtp_policy p = load();

	(void)state;
	assert_int_equal(ask(&p, "a@MX.test"), SMTP_ALLOWED);
	assert_int_equal(ask(&p, "a@far.test"), SMTP_REFUSED);
	assert_int_equal(ask(&p, "a@sub.mx.test"), SMTP_REFUSED);
	assert_int_equal(ask(&p, "a"), SMTP_ALLOWED);
	smtp_policy_free(&p);
	put("locals", "one.test\n");
	put("virtualdomains", "two.test:joe\n.three.test:joe\nexcept.three.test:\nu@four.test:joe\n:all\n");
	p = load();
	assert_int_equal(ask(&p, "a@mx.test"), SMTP_REFUSED);
	assert_int_equal(ask(&p, "a@one.test"), SMTP_ALLOWED);
	assert_int_equal(ask(&p, "a@two.test"), SMTP_ALLOWED);
	assert_int_equal(ask(&p, "a@x.three.test"), SMTP_ALLOWED);
	assert_int_equal(ask(&p, "a@except.three.test"), SMTP_REFUSED);
	assert_int_equal(ask(&p, "u@four.test"), SMTP_ALLOWED);
	assert_int_equal(ask(&p, "v@four.test"), SMTP_REFUSED);
	assert_int_equal(ask(&p, "a@far.test"), SMTP_REFUSED);
	smtp_policy_free(&p);
}

static void rcpthosts_decides(void **state)
{
	struct smtp_policy p;

	(void)state;
	put("rcpthosts", "# ours\nok.test\n.dom.test\n");
	p = load();
	assert_int_equal(ask(&p, "a@OK.test"), SMTP_ALLOWED);
	assert_int_equal(ask(&p, "a@x.dom.test"), SMTP_ALLOWED);
	assert_int_equal(ask(&p, "a@dom.test"), SMTP_REFUSED);
	assert_int_equal(ask(&p, "a@mx.test"), SMTP_REFUSED);
	assert_int_equal(ask(&p, "noat"), SMTP_ALLOWED);
	smtp_policy_free(&p);
	/* qmail takes them whatever host they get. */
	put("envnoathost", "far.test\n");
	p = load();
	assert_int_equal(ask(&p, "noat"), SMTP_REFUSED);
	smtp_policy_free(&p);
	put("envnoathost", "ok.test\n");
	p = load();
	assert_int_equal(ask(&p, "noat"), SMTP_ALLOWED);
	smtp_policy_free(&p);
	put("rcpthosts", "");
	p = load();
	assert_int_equal(ask(&p, "a@ok.test"), SMTP_REFUSED);
	smtp_policy_free(&p);
}

static void morercpthosts_adds_to_it(void **state)
{
	struct smtp_policy p;
	struct cdbmaker m;
	struct err e;

	(void)state;
	put("rcpthosts", "ok.test\n");
	assert_true(cdbmaker_start(&m, home_dir(), "control/morercpthosts.cdb", "control/m.tmp", 0644, &e));
	assert_true(cdbmaker_add(&m, STR("more.test"), STR(""), &e));
	assert_true(cdbmaker_add(&m, STR(".all.test"), STR(""), &e));
	assert_true(cdbmaker_finish(&m, &e));
	p = load();
	assert_int_equal(ask(&p, "a@More.Test"), SMTP_ALLOWED);
	assert_int_equal(ask(&p, "a@x.y.all.test"), SMTP_ALLOWED);
	assert_int_equal(ask(&p, "a@all.test"), SMTP_REFUSED);
	assert_int_equal(ask(&p, "a@ok.test"), SMTP_ALLOWED);
	smtp_policy_free(&p);
	put("morercpthosts.cdb", "damaged");
	p = load();
	assert_int_equal(ask(&p, "a@ok.test"), SMTP_ALLOWED);
	assert_int_equal(ask(&p, "a@far.test"), SMTP_UNDECIDED);
	smtp_policy_free(&p);
}

static bool bad(const struct smtp_policy *p, const char *sender)
{
	struct str s = str_of(sender);

	return smtp_policy_sender_is_bad(p, s, str_rchr(s, '@'));
}

static void badmailfrom_takes_addresses_and_domains(void **state)
{
	struct smtp_policy p;

	(void)state;
	put("badmailfrom", "a@one.test\n@two.test\n");
	p = load();
	assert_true(bad(&p, "A@One.test"));
	assert_false(bad(&p, "b@one.test"));
	assert_true(bad(&p, "x@TWO.test"));
	assert_false(bad(&p, "x@sub.two.test"));
	assert_false(bad(&p, ""));
	smtp_policy_free(&p);
}

static void settings_have_defaults_and_limits(void **state)
{
	struct smtp_policy p = load();

	(void)state;
	assert_string_equal(buf_cstr(&p.greeting), "mx.test");
	assert_int_equal(p.timeout, 1200);
	assert_int_equal(p.settings.databytes, 0);
	assert_int_equal(p.settings.max_recipients, 50000);
	smtp_policy_free(&p);
	put("smtpgreeting", "mx.test NO UCE\n");
	put("databytes", "1000k\n");
	put("timeoutsmtpd", "0\n");
	p = load();
	assert_true(str_eq(p.settings.greeting, STR("mx.test NO UCE")));
	assert_int_equal(p.timeout, 1);
	assert_int_equal(p.settings.databytes, 1000);
	smtp_policy_free(&p);
	setenv("DATABYTES", "7", 1);
	p = load();
	assert_int_equal(p.settings.databytes, 7);
	smtp_policy_free(&p);
	setenv("DATABYTES", "", 1);
	p = load();
	assert_int_equal(p.settings.databytes, 0);
	smtp_policy_free(&p);
	unsetenv("DATABYTES");
	put("timeoutsmtpd", "99999999999999999999999\n");
	p = load();
	assert_true(p.timeout < UINT32_MAX);
	smtp_policy_free(&p);
}

static void it_does_not_start_without_a_name(void **state)
{
	struct smtp_policy p;
	struct err e;

	(void)state;
	remove_files();
	assert_false(smtp_policy_load(&p, &e));
	assert_non_null(strstr(e.text, "control/me"));
	put("me", "mx\033.test\n");
	assert_false(smtp_policy_load(&p, &e));
}

static void changes_are_seen(void **state)
{
	uint64_t before = smtp_policy_fingerprint();

	(void)state;
	assert_true(smtp_policy_fingerprint() == before);
	put("rcpthosts", "a.test\n");
	assert_true(smtp_policy_fingerprint() != before);
	before = smtp_policy_fingerprint();
	put("rcpthosts", "ab.test\n");
	assert_true(smtp_policy_fingerprint() != before);
}

static void own_addresses_are_recognised(void **state)
{
	(void)state;
	assert_true(smtp_policy_own_address(STR("127.0.0.1")));
	assert_false(smtp_policy_own_address(STR("192.0.2.77")));
	assert_false(smtp_policy_own_address(STR("127.0.0.1x")));
	assert_false(smtp_policy_own_address(STR("IPv6:2001:db8::1")));
	assert_false(smtp_policy_own_address(STR("")));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup(test, only_me)
	const struct CMUnitTest tests[] = {
		T(without_rcpthosts_only_our_own_domains),
		T(rcpthosts_decides),
		T(morercpthosts_adds_to_it),
		T(badmailfrom_takes_addresses_and_domains),
		T(settings_have_defaults_and_limits),
		T(it_does_not_start_without_a_name),
		T(changes_are_seen),
		T(own_addresses_are_recognised),
	};

	return cmocka_run_group_tests(tests, testplace_begin_home, testplace_end);
}
