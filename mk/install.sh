#!/bin/sh
# mk/install.sh BINDIR: lays out $DESTDIR$HOME_DIR. With PREFIX, also links
# programs and manual pages into $DESTDIR$PREFIX/bin and share/man.
#
# What exists stays: control files, users, queue and mail are never touched.
# As root, owners and modes are set where the qmail accounts exist; programs
# look names up at run time, so they can be created later (run this again, or
# let qmail-start make what is missing). No program is set-id.
set -eu
umask 022
. "$(dirname "$0")/layout.sh"
bin=$1
home=${DESTDIR:-}${HOME_DIR:-/var/qmail}

id_of() { getent "$1" "$2" 2>/dev/null | cut -d: -f3; }
own() { # own USER:GROUP PATH...: only as root, and only to accounts that exist
	[ "$(id -u)" = 0 ] || return 0
	user=$(id_of passwd "${1%:*}"); group=$(id_of group "${1#*:}"); shift
	[ -z "$user" ] || chown -h "$user" "$@"
	[ -z "$group" ] || chgrp -h "$group" "$@"
}
layout_directories | while read -r mode user group path; do
	mkdir -p "$home/$path"
	own "$user:$group" "$home/$path"	# chown clears set-group-id: mode comes after
	chmod "$mode" "$home/$path"
done

# A running program cannot be written to: copy to a place beside it, then rename.
stage=$home/bin/.new
rm -rf "$stage"
mkdir "$stage"
cp "$bin"/* "$stage"
own root:qmail "$stage"/*
for mode in 0700 0711 0755; do
	chmod "$mode" $(for p in "$stage"/*; do layout_has_mode "${p##*/}" "$mode" && echo "$p"; done)
done
mv -f "$stage"/* "$home/bin"
rmdir "$stage"
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

for section in 1 5 7 8; do
	for page in man/*."$section"; do
		[ ! -e "$page" ] || set -- "$@" "$page"
	done
	[ $# = 1 ] || (shift; install -m 0644 -t "$home/man/man$section" "$@")
	set -- "$1"
done
# A page for several names can be found by each of them.
awk '/^\.Sh/ { names = $2 == "NAME"; next }
	names && $1 == ".Nm" { page = FILENAME; sub(/.*\//, "", page); print page, $2 }' man/*.[1-8] |
while read -r page name; do
	[ "$page" = "$name.${page##*.}" ] || ln -sf "$page" "$home/man/man${page##*.}/$name.${page##*.}"
done
for text in README.md CHANGELOG.md SECURITY.md LICENSE docs/*.md; do
	[ ! -e "$text" ] || install -m 0644 "$text" "$home/doc/"
done
own root:qmail "$home"/man/man?/* "$home"/doc/* 2>/dev/null || true

# links DIRECTORY TARGET...: links to the targets, by their own names, in place
# of what is a link of ours already.
links() {
	into=${DESTDIR:-}$PREFIX/$1; shift
	mkdir -p "$into"
	for target; do
		shift
		name=$into/${target##*/}
		if [ -e "$name" ] || [ -L "$name" ]; then
			case $(readlink "$name") in
			"$target") continue ;;
			"${HOME_DIR:-/var/qmail}"/*) ;;
			*) echo "kept $name, which is not ours"; continue ;;
			esac
		fi
		set -- "$@" "$target"
	done
	[ $# = 0 ] || ln -sfn -t "$into" "$@"
}
if [ "${PREFIX:-}" ]; then
	to=${HOME_DIR:-/var/qmail}
	links bin $(for p in "$bin"/*; do layout_linked "${p##*/}" && echo "$to/bin/${p##*/}"; done)
	for section in 1 5 7 8; do
		links share/man/man$section $(for p in "$home/man/man$section"/*.$section; do
			[ ! -e "$p" ] || echo "$to/man/man$section/${p##*/}"; done)
	done
fi
echo "installed in $home"
