# Which program links what. This is the privilege map: a program can do only
# what its libraries can. Read by the Makefile and checked by the tests.
#
#   LIB_<library>  := the libraries it builds on
#   PKG_<library>  := its Debian libraries, by pkg-config name
#   PROG_<program> := the libraries it links (with what they build on)
#   PKG_PROG_<program> := Debian libraries that the program itself uses
#   TEST_<test>    := further libraries that a unit test links
#
# A library is a folder src/<library>; a program is a folder src/<program>.

LIBRARIES := base sys wire conf mail notice upgrade cdb submit journal queuequery classicqueue maillog route sched dns resolver \
	listener smtpserver smtpclient outbound users local inject simdisk sandbox tls idn filter mailbox aliases dnstool \
	password virtual checker pop3 sasl \
	dnsmessage ucspi netrules serving tcpservice tcpcaller tlsrelay qmtp deadhosts serial supervision linelog analog \
	testing

# Values: views, buffers, errors, dates, checksums. No operating system.
LIB_base :=
# The only code that sees the operating system.
LIB_sys  := base
# Giving up rights.
LIB_sandbox := base sys
PKG_sandbox := libseccomp
# Messages between our processes.
LIB_wire := base
# control/ files.
LIB_conf := base sys
# Pure grammars: addresses, header fields, lines.
LIB_mail := base
# Bounces and other notices to senders, as texts.
LIB_notice := base mail
# Constant databases (users/cdb, morercpthosts.cdb).
LIB_cdb := base sys
PKG_cdb := libcdb
# Client side of the queue.
LIB_submit := base sys wire mail
# The queue on disk. Only qmail-journal links it.
LIB_journal := base sys wire mail
# Asking qmail-rspawn which servers do not answer, for operators' tools.
LIB_deadhosts := base sys wire
# Asking the running queue, for operators' tools.
LIB_queuequery := base sys wire route
# Reading the log of qmail-send.
LIB_maillog := base
# What another qmail's scripts and programs mean here. Pure.
LIB_upgrade := base
# Queues in qmail's classic layout.
LIB_classicqueue := base sys
# Where a recipient goes: locals, virtualdomains, percenthack.
LIB_route := base conf sched
# What is tried when; no I/O.
LIB_sched := base
# Client side of qmail-resolve.
LIB_dns := base sys wire
# DNS packets: names and records, checked. Pure.
LIB_dnsmessage := base dns
# DNS itself. Only qmail-resolve links it.
LIB_resolver := base sys wire dns dnsmessage conf
PKG_resolver := libunbound libevent
# TCP listener that forks a child per connection.
LIB_listener := base sys wire dns
# SMTP, receiving: commands and replies without I/O, policy.
LIB_smtpserver := base sys wire conf mail cdb submit route
# TLS, without I/O. The only code that sees OpenSSL.
LIB_tls := base
PKG_tls := libssl libcrypto
# Internationalised domain names.
LIB_idn := base
PKG_idn := libidn2
# SMTP, sending: without I/O.
LIB_smtpclient := base mail tls idn
# Remote delivery: routes, exchangers, whom to trust, our own addresses.
LIB_outbound := base sys conf dns tls smtpclient idn
# Who a local address belongs to.
LIB_users := base sys cdb
# Passwords as crypt(3) keeps them.
LIB_password := base
PKG_password := libcrypt
# Mailboxes without system accounts. The only code that sees SQLite.
LIB_virtual := base sys wire users mailbox
PKG_virtual := sqlite3
# Programs of the checkpassword interface.
LIB_checker := base sys tls
# POP3, serving.
LIB_pop3 := base sys mailbox sasl
# Mechanisms of SASL, serving.
LIB_sasl := base
# One local delivery: .qmail, Maildir, mbox, program, forward.
LIB_local := base sys wire mail submit mailbox
# A simulated disk in place of sys/file.c; only tests link it. Its archive must come before that of sys, as it does
# by name.
LIB_simdisk := base sys
# Rewriting and completing a new message.
LIB_inject := base sys mail conf submit

# The small programs of .qmail lines: running a program on a message, sending
# the message on.
LIB_filter := base sys submit
# Aliases, .forward files and mailing lists as sendmail has them.
LIB_aliases := base sys mail cdb inject
# Reading Maildirs, and showing what is in them.
LIB_mailbox := base sys mail
# TCP connections for other programs: addresses, names, IDENT, relaying, the
# system's own stub resolver (these programs run without a mail system).
LIB_ucspi := base sys mail dns dnsmessage listener filter
# tcpserver, but for what lies between connection and program.
LIB_tcpservice := base sys cdb netrules ucspi listener filter
# tcpclient, likewise.
LIB_tcpcaller := base sys ucspi listener filter
# TLS for programs that know nothing of it.
LIB_tlsrelay := base sys tls sandbox
# QMTP and QMQP: netstrings in, messages out.
LIB_qmtp := base sys mail submit
# Sending what is in a Maildir: its messages, and the reports on them.
LIB_serial := base sys filter
# Access rules by address and name: rules.cdb.
LIB_netrules := base sys cdb listener

# What servers with sockets of their own share: where they listen, whom they let in.
LIB_serving := base sys conf listener netrules

# What the small DNS programs share.
LIB_dnstool := base sys dns filter

# Service directories: their state, and what programs that start others need.
LIB_supervision := base sys filter
# Lines of logs: stamps, patterns, directories that rotate.
LIB_linelog := base sys filter
# A place for unit tests. All of them may use it, and nothing else may.
LIB_testing := base sys
# What qmail-send's log says of each message and delivery. Pure.
LIB_analog := base

# Linked statically: they run once for every message, and loading shared
# libraries is a fifth of what such a run costs.
STATIC := sendmail qmail-inject qmail-queue

PROG_qmail-inject := inject base
PROG_sendmail := inject mail sys base
PROG_splogger := sys base
PROG_qmail-showctl := conf sys base
PROG_qmail-smtpd := serving listener smtpserver dns sandbox conf sys base
PROG_qmail-newmrh := cdb conf sys base
PROG_qmail-newu := users cdb sys base
PROG_qmail-getpw := users sys base
PROG_qmail-local := local submit sys base
PROG_qmail-lspawn := users local virtual mailbox sandbox conf wire sys base
PROG_qmail-resolve := resolver dns sandbox wire sys base
PROG_qmail-remote := outbound smtpclient tls idn dns conf sys base
PROG_qmail-rspawn := outbound smtpclient tls idn dns sandbox conf wire sys base
PKG_PROG_qmail-rspawn := libevent
PROG_qmail-queue := submit wire sys base
PROG_qmail-journal := journal mail sandbox wire sys base
PKG_PROG_qmail-journal := libevent
PROG_qmail-send := sched route conf submit notice mail sandbox wire sys base
PKG_PROG_qmail-send := libevent
PROG_qmail-start := wire sys base
PROG_quill := queuequery classicqueue upgrade maillog local users cdb submit virtual password mailbox route dns idn conf wire sys base
PROG_qmail-qread := queuequery route conf wire sys base
PROG_qmail-tcpto := deadhosts sys
PROG_qmail-tcpok := deadhosts sys
PROG_qmail-qstat := queuequery wire sys base
PROG_qmHandle := queuequery route conf wire sys base

# Whose password it is.
PROG_checkpassword := checker password sys base
PROG_checkpassword-pam := checker sys base
PKG_PROG_checkpassword-pam := pam
PROG_checkpassword-mailbox := checker virtual mailbox password sys base

# POP3.
PROG_qmail-popup := pop3 serving listener tlsrelay tls conf sandbox sys base
PROG_qmail-pop3d := pop3 sandbox sys base

# Helpers for .qmail lines and scripts.
PROG_forward := filter base
PROG_preline := filter base
PROG_condredirect := filter base
PROG_bouncesaying := filter base
PROG_except := filter base
PROG_predate := filter base
PROG_datemail := filter sys base
PROG_mailsubj := filter sys base
PROG_maildirmake := filter base
PROG_maildir2mbox := filter mailbox local sys base
PROG_dot-forward := aliases inject filter sys base
PROG_fastforward := aliases inject cdb filter sys base
PROG_setforward := aliases cdb filter sys base
PROG_printforward := aliases cdb filter sys base
PROG_newaliases := aliases cdb filter base
PROG_newinclude := aliases filter base
PROG_setmaillist := aliases filter sys base
PROG_printmaillist := aliases filter sys base
PROG_qreceipt := mail submit filter sys base
PROG_qbiff := mailbox sys base
PROG_maildirwatch := mailbox filter sys base
PROG_qail := filter
PROG_elq := filter
PROG_pinq := filter

# Looking things up, and setting up.
PROG_tcp-env := ucspi listener dns filter sys base
PROG_qmail-pw2u := users filter sys base
PROG_dnsip := dnstool
PROG_dnsptr := dnstool listener filter base
PROG_dnsfq := dnstool dns filter base
PROG_dnsmxip := dnstool
PROG_ipmeprint := outbound
PROG_config := conf outbound dnstool filter sys base
PROG_config-fast := conf filter sys base

# Any program as a TCP server or client.
PROG_tcpserver := tcpservice
PROG_sslserver := tcpservice tlsrelay tls ucspi filter sys base
PROG_sslclient := tcpcaller tlsrelay tls ucspi filter sys base
PROG_tcprules := netrules cdb filter sys base
PROG_tcprulescheck := netrules cdb filter base
PROG_tcpclient := tcpcaller
PROG_rblsmtpd := ucspi listener filter sys base
PROG_recordio := ucspi filter sys base
PROG_fixcrio := ucspi mail filter sys base
PROG_mconnect-io := ucspi filter sys base
PROG_addcr := ucspi mail filter sys base
PROG_delcr := ucspi mail filter sys base
PROG_argv0 := filter

# Keeping services running, and their logs.
PROG_svscan := filter sys base
PROG_supervise := supervision filter sys base
PROG_svc := supervision filter sys base
PROG_svstat := supervision sys base
PROG_svok := supervision filter base
PROG_svscanboot := filter sys base
PROG_setuidgid := supervision filter
PROG_setuser := supervision filter
PROG_envuidgid := supervision filter
PROG_envdir := supervision filter sys base
PROG_softlimit := filter base
PROG_setlock := filter base
PROG_pgrphack := filter
PROG_fghack := filter sys base
PROG_readproctitle := sys base
PROG_errorsto := filter base
PROG_fifo := filter sys base
PROG_testfilelock := filter base
# Reports from qmail-send's log.
PROG_matchup := analog linelog filter sys base
PROG_columnt := filter sys base
PROG_multilog := linelog filter sys base
PROG_tai64n := linelog sys base
PROG_tai64nlocal := linelog base
PROG_cyclog := linelog filter sys base
PROG_accustamp := linelog sys base
PROG_tailocal := linelog base
PROG_usually := linelog filter sys base

# Mail by QMTP and QMQP.
PROG_qmail-qmtpd := qmtp smtpserver submit sandbox sys base
PROG_qmail-qmqpd := qmtp submit sandbox sys base
PROG_qmail-qmqpc := qmtp ucspi listener conf sys base

# A Maildir's messages over one connection.
PROG_maildirserial := serial mailbox notice submit conf filter sys base
PROG_serialsmtp := serial smtpclient mail ucspi filter sys base
PROG_serialqmtp := serial qmtp filter sys base

# Shell scripts, in scripts/; they run our programs.
SCRIPTS := who@ date@ finger@ http@ tcpcat mconnect maildirsmtp maildirqmtp \
	xqp xsender xrecipient ddist successes failures deferrals recipients rhosts rxdelay senders suids \
	zddist zsuccesses zfailures zdeferrals zrecipients zrhosts zrxdelay zsenders zsuids zoverall zsendmail

TEST_journal_test := simdisk
TEST_journal_damage_test := simdisk
TEST_journal_segments_test := simdisk
TEST_journal_crash_test := simdisk
TEST_journal_fuzz := simdisk
TEST_quote_fuzz := smtpserver
TEST_maildir_crash_test := simdisk
