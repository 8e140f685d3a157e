#!/bin/sh
# mk/instcheck.sh BINDIR: compares $DESTDIR$HOME_DIR with what install.sh lays
# out, and warns about each difference.
set -u
. "$(dirname "$0")/layout.sh"
bin=$1
home=${DESTDIR:-}${HOME_DIR:-/var/qmail}

# Lines of TYPE MODE USER GROUP PATH, with paths below the home.
expected() {
	layout_directories | while read -r mode user group path; do
		echo "d ${mode#0} $user $group $path"
	done
	for p in "$bin"/*; do
		for mode in 700 711 755; do
			! layout_has_mode "${p##*/}" "0$mode" || echo "f $mode root qmail bin/${p##*/}"
		done
	done
	for page in man/*.[1-8]; do
		echo "f 644 root qmail man/man${page##*.}/${page##*/}"
	done
}

# Owners are compared when all accounts are there: until then one line says it.
accounts=$(for a in alias qmaild qmaill qmailp qmailq qmailr qmails; do getent passwd "$a"; done | wc -l)
groups=$(getent group qmail nofiles | wc -l)
[ "$accounts$groups" = 72 ] && complete=1 || complete=

present() {
	find . -maxdepth 3 -path './queue/*' -prune -o -path './alias/*' -prune -o -printf '%y %m %u %g %P\n' | sed 's/ $/ ./'
}

[ -d "$home" ] || { echo "instcheck: warning: $home does not exist"; exit 0; }
{ (cd "$home" && present); echo; expected; } | awk -v home="$home" -v owners="$complete" '
	function warn(path, what) {
		print "instcheck: warning: " home (path == "." ? "" : "/" path) " " what
	}
	NF == 0 { comparing = 1; next }
	!comparing { found[$5] = $0; next }
	!($5 in found) { warn($5, "does not exist"); next }
	{
		split(found[$5], is)
		if (is[1] != $1) { warn($5, "has wrong type"); next }
		if (is[2] != $2) warn($5, "has wrong permissions")
		if (owners && is[3] != $3) warn($5, "has wrong owner")
		if (owners && is[4] != $4) warn($5, "has wrong group")
	}'
[ "$complete" ] || echo "instcheck: warning: some of the accounts do not exist; as root, $home/bin/quill setup makes them"
exit 0
