#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "upgrade/foreignprograms.h"
#include "upgrade/scriptcheck.h"
#include "upgrade/scriptwords.h"

static struct buf said;

static void hear(void *ctx, enum verdict v, struct str name, const char *text)
{
	(void)ctx;
	assert_true(*text != '\0');
	buf_addc(&said, "UDI"[v]);
	buf_addc(&said, ' ');
	buf_add(&said, name);
	buf_addc(&said, '\n');
}

static void says(const char *script, const char *expected)
{
	said = BUF_INIT(100000);
	scriptcheck(str_of(script), hear, NULL);
	buf_addc(&said, '\0');
	assert_string_equal(said.p ? said.p : "", expected);
	buf_free(&said);
}

static void words_are(const char *script, const char *expected)
{
	struct scriptwords w = scriptwords_begin(str_of(script));
	struct buf all = BUF_INIT(100000);
	struct str word;
	bool first;

	while (scriptwords_next(&w, &word, &first)) {
		buf_addc(&all, first ? '!' : '.');
		buf_add(&all, word);
	}
	buf_addc(&all, '\0');
	assert_string_equal(all.p, expected);
	buf_free(&all);
}

static void words_of_scripts(void **state)
{
	(void)state;
	words_are("a b\nc", "!a.b!c");
	words_are("exec env - PATH=\"/a b:$PATH\" \\\n x 'y z'\n", "!exec.env.-.PATH=/a b:$PATH.x.y z");
	words_are("# all\na #b\n c#d", "!a!c#d");
	words_are("a|b&&c;(d)", "!a!b!c!d");
	words_are("a 2>&1 b", "!a.2>&1.b");
	words_are("a \"never closed", "!a.never closed");
	words_are("\\", "!");
	words_are("x=`id -u`", "!x=!id.-u");
}

static void ordinary_scripts_work(void **state)
{
	(void)state;
	says("#!/bin/sh\nexec env - PATH=\"/var/qmail/bin:$PATH\" \\\nqmail-start ./Mailbox splogger qmail\n", "");
	says("QMAILDUID=`id -u qmaild`\nexec /usr/local/bin/softlimit -m 2000000 /usr/local/bin/tcpserver -v -R -l "
	     "\"$LOCAL\" -x /etc/tcp.smtp.cdb -c \"$MAXSMTPD\" -u \"$QMAILDUID\" -g 1 0 smtp "
	     "/var/qmail/bin/qmail-smtpd 2>&1\n",
	     "");
	says("tcpserver 0 pop3 qmail-popup host checkpassword qmail-pop3d Maildir &", "");
	says("supervise /service/x", "");
}

static void what_works_otherwise_is_said(void **state)
{
	(void)state;
	says("tcpserver -vRHl0 -s -n cert 0 465 qmail-smtpd", "D -s\nD -n\n");
	says("sslserver -e -w 5 0 465 qmail-smtpd", "");
	says("tcpserver -c 5 0 25 qmail-smtpd mail.example checkpassword true 2>&1", "D qmail-smtpd\n");
	says("supervise /var/lock/qmail-smtpd tcpserver 0 25 qmail-smtpd", "D supervise\n");
	says("export QMAILQUEUE=/x/simscan\nRCPTCHECK=/y exec env CHKUSER_X=1 tcpserver -z 0 25 spamdyke -f x "
	     "qmail-smtpd",
	     "U QMAILQUEUE\nI RCPTCHECK\nI CHKUSER_X\nD -z\nU spamdyke\n");
}

static void rules_have_variables(void **state)
{
	(void)state;
	said = BUF_INIT(1000);
	scriptcheck_rules(
	    str_of("#x,QMAILQUEUE=\"y\"\n127.:allow,RELAYCLIENT=\"\",QMAILQUEUE=\"/a,NOSPP=b\"\n:allow,NOSPP=\"\"\n"
		   ":deny,\n:allow,NOSPP="),
	    hear, NULL);
	buf_addc(&said, '\0');
	assert_string_equal(said.p, "U QMAILQUEUE\nI NOSPP\nI NOSPP\n");
	buf_free(&said);
}

static void programs_of_others(void **state)
{
	(void)state;
	assert_non_null(foreignprograms_find(STR("qmail-clean")));
	assert_non_null(foreignprograms_find(STR("ezmlm-send")));
	assert_null(foreignprograms_find(STR("ezmlm")));
	assert_null(foreignprograms_find(STR("qmail-send")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_of_scripts),
		cmocka_unit_test(ordinary_scripts_work),
		cmocka_unit_test(what_works_otherwise_is_said),
		cmocka_unit_test(rules_have_variables),
		cmocka_unit_test(programs_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
