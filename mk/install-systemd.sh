#!/bin/sh
# mk/install-systemd.sh LIBDIR: units into $DESTDIR$LIBDIR/systemd/system, the
# accounts and directories into sysusers.d and tmpfiles.d beside it. Nothing is
# enabled or started.
set -eu
umask 022
lib=${DESTDIR:-}$1
fill() { # fill FROM TO
	mkdir -p "${2%/*}"
	sed "s|@HOME@|${HOME_DIR:-/var/qmail}|g" "$1" >"$2.new"
	mv -f "$2.new" "$2"
}
for unit in packaging/systemd/*.service; do
	fill "$unit" "$lib/systemd/system/${unit##*/}"
done
fill packaging/systemd/quillmail.sysusers "$lib/sysusers.d/quillmail.conf"
fill packaging/systemd/quillmail.tmpfiles "$lib/tmpfiles.d/quillmail.conf"
echo "units are in $lib/systemd/system"
