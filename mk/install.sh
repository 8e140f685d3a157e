#!/bin/sh
# mk/install.sh BINDIR: lays out $DESTDIR$HOME_DIR.
#
# What exists stays: control files, users, queue and mail are never touched.
# As root, owners and modes are set where the qmail accounts exist; programs
# look names up at run time, so they can be created later (run this again, or
# let qmail-start make what is missing). No program is set-id.
set -eu
umask 022
bin=$1
home=${DESTDIR:-}${HOME_DIR:-/var/qmail}

id_of() { getent "$1" "$2" 2>/dev/null | cut -d: -f3; }
own() { # own USER:GROUP PATH...: only as root, and only to accounts that exist
	[ "$(id -u)" = 0 ] || return 0
	user=$(id_of passwd "${1%:*}"); group=$(id_of group "${1#*:}"); shift
	[ -z "$user" ] || chown -h "$user" "$@"
	[ -z "$group" ] || chgrp -h "$group" "$@"
}
directory() { # directory MODE USER:GROUP PATH...
	mode=$1 owner=$2; shift 2
	for d; do
		mkdir -p "$home/$d"
		own "$owner" "$home/$d"	# chown clears set-group-id: mode comes after
		chmod "$mode" "$home/$d"
	done
}

directory 0755 root:qmail . bin control users boot doc man man/man1 man/man5 man/man7 man/man8 run log
directory 02755 alias:qmail alias
directory 0700 qmailq:qmail queue

for p in "$bin"/*; do
	name=${p##*/} mode=0711
	case $name in
	qmail-lspawn|qmail-start|qmail-newu|qmail-newmrh|checkpassword|checkpassword-pam) mode=0700 ;;
	qmail-inject|qmail-pop3d|qmail-qread|qmail-qstat|qmail-tcpto|qmail-tcpok|qmail-showctl|qmail-smtpd|sendmail|quill) mode=0755 ;;
	qmail-*|splogger) ;;
	*) mode=0755 ;;	# helpers for everybody's .qmail lines and scripts
	esac
	# A running program cannot be written to: install beside it, then rename.
	cp "$p" "$home/bin/.$name.new"
	own root:qmail "$home/bin/.$name.new"
	chmod "$mode" "$home/bin/.$name.new"
	mv -f "$home/bin/.$name.new" "$home/bin/$name"
done
[ ! -e "$home/bin/sendmail" ] || ln -sf sendmail "$home/bin/mailq"

boot() { # boot NAME DEFAULTDELIVERY: a start script an administrator copies to rc
	cat >"$home/boot/$1" <<-SCRIPT
	#!/bin/sh
	# Starts mail delivery; the log goes to syslog through splogger.
	exec env - PATH="${HOME_DIR:-/var/qmail}/bin:\$PATH" \\
	qmail-start '$2' splogger qmail
	SCRIPT
	chmod 0755 "$home/boot/$1"
	own root:qmail "$home/boot/$1"
}
with_forward() { # the same with users' .forward files honoured first
	boot "$1" "$2"
	boot "$1+df" "|dot-forward .forward
$2"
}
with_forward home ./Mailbox
with_forward proc '|preline procmail'
with_forward binm1 '|preline -f /usr/libexec/mail.local -r "${SENDER:-MAILER-DAEMON}" -d "$USER"'
with_forward binm2 '|preline -f /bin/mail -r "${SENDER:-MAILER-DAEMON}" -d "$USER"'
with_forward binm3 '|preline -f /bin/mail -f "${SENDER:-MAILER-DAEMON}" -d "$USER"'
boot maildir ./Maildir/

for page in man/*.[1-8]; do
	[ -e "$page" ] || continue
	install -m 0644 "$page" "$home/man/man${page##*.}/"
done
for text in README.md CHANGELOG.md SECURITY.md LICENSE docs/*.md; do
	[ ! -e "$text" ] || install -m 0644 "$text" "$home/doc/"
done
own root:qmail "$home"/man/man?/* "$home"/doc/* 2>/dev/null || true
echo "installed in $home"
