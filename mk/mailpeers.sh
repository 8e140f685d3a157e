#!/bin/sh
# Unpacks the mail servers that tests deliver to. Debian installs only one of them at a time, and each would be
# made this machine's mail system; so they are not installed, and nothing in them is set-id.
#
#   mk/mailpeers.sh [--check]
#
# --check   do nothing; exit 1 when something is missing
set -eu

into=/usr/local/lib/mail-peers
packages="postfix exim4-base exim4-daemon-light opensmtpd dovecot-core dovecot-lmtpd"

missing=
for p in $packages; do
	[ -e "$into/.unpacked/$p" ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
[ "${1:-}" != --check ] || exit 1

echo "unpacking in $into:$missing"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
chmod 755 "$work"
mkdir -p "$into/.unpacked"
cd "$work"
for p in $missing; do
	apt-get download -q "$p" >log 2>&1 || { cat log >&2; exit 1; }
	# /lib is a link on the machine that this is laid over.
	dpkg-deb --fsys-tarfile "$p"_*.deb | tar -x -C "$into" --no-same-owner --exclude='./lib/*' --exclude=./lib \
		--exclude='./usr/share/doc/*' --exclude='./usr/share/man/*'
	chmod -R ug-s "$into"
	: >"$into/.unpacked/$p"
done
