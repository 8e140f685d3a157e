#!/bin/sh
# mk/deb-check.sh BUILD: lintian's opinion of the package in BUILD/deb, then
# its test in a new Debian with nothing but what the package depends on.
set -eu
build=$(cd "$1" && pwd)
package=$(echo "$build"/deb/quillmail_*.deb)
root=$build/deb-root

echo "  LINTIAN"
# Whom to write to is not for a package that is built by hand.
lintian --allow-root --suppress-tags bogus-mail-host,initial-upload-closes-no-bugs --fail-on error,warning "$package"

if [ ! -e "$root/.complete" ]; then
	echo "  DEBOOTSTRAP"
	rm -rf "$root"
	depends=$(dpkg-deb -f "$package" Depends | sed 's/([^)]*)//g; s/|[^,]*//g; s/ //g')
	. /etc/os-release
	debootstrap --variant=minbase --include="$depends" "$VERSION_CODENAME" "$root" \
		"${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$build/deb/debootstrap.log" 2>&1 || {
		tail -n 5 "$build/deb/debootstrap.log" >&2
		exit 1
	}
	touch "$root/.complete"
fi
PACKAGE=$package PACKAGE_ROOT=$root QUILL_BIN=$build/bin PYTHONDONTWRITEBYTECODE=1 \
	/usr/bin/python3 -m pytest -q -p no:cacheprovider tests/root/test_package.py
