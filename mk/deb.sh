#!/bin/sh
# mk/deb.sh OUT [VERSION]: a Debian package of this tree in OUT, and what
# building it takes in OUT/work. With $BINARIES it has the programs there
# instead of compiling.
set -eu
out=$(mkdir -p "$1" && cd "$1" && pwd)
version=${2:-}
work=$out/work
rm -rf "$work"
mkdir -p "$work"
tar -c --exclude='./build*' --exclude=./.git --exclude=__pycache__ . | tar -x -C "$work"
mv "$work/packaging/debian" "$work/debian"
if [ "$version" ]; then
	sed -i "1s/(.*)/($version)/" "$work/debian/changelog"
fi
cd "$work"
# Quickly, for tests.
[ -z "${BINARIES:-}" ] || export DEB_BUILD_OPTIONS='nostrip noautodbgsym'
set -- ${BINARIES:+--no-check-builddeps}
dpkg-buildpackage --build=binary --unsigned-source --unsigned-changes "$@" >../log 2>&1 || {
	tail -n 30 ../log >&2
	exit 1
}
cd ..
rm -rf work
ls "$out"/quillmail_*.deb
