#!/bin/sh
# Installs the Debian packages that a purpose needs, and only what is missing.
#
#   mk/deps.sh [--check] [build|demo|test|develop|package]...
#
# --check   print what is missing, install nothing; exit 1 when something is
#
# Nothing is started, now or at the next boot: a temporary policy-rc.d forbids
# it while packages are being installed, and the peers that tests start
# themselves (name servers) are disabled as services; mail servers are only unpacked, see mk/mailpeers.sh. Without
# root the one command to type is printed instead.
set -u

build="gcc libc6-dev make pkg-config libevent-dev libunbound-dev libssl-dev libcdb-dev
	libidn2-dev libpsl-dev libsqlite3-dev libseccomp-dev libcrypt-dev libpam0g-dev"
demo="python3"
test="fetchmail getmail6 mpop maildrop python3 python3-pytest libcmocka-dev swaks ucspi-tcp procps systemd nsd knot daemontools ldnsutils
	unbound bind9 bind9-utils dnsmasq-base iproute2 inetutils-telnet
	debhelper dpkg-dev
	libdb5.3 libgnutls-dane0 libidn12 libnsl2 libicu72 libsasl2-2"
develop="clang clang-format clang-tidy cppcheck libclang-rt-14-dev gcovr mandoc strace
	qemu-system-common fuse3 e2fsprogs xfsprogs btrfs-progs"
package="debhelper dpkg-dev lintian debootstrap"

here=$(dirname "$0")
check=
peers=
[ "${1:-}" != --check ] || { check=1; shift; }
wanted=
for purpose in ${*:-build demo test develop}; do
	case $purpose in
	build) wanted="$wanted $build" ;;
	demo) wanted="$wanted $build $demo" ;;
	test) wanted="$wanted $build $test"; peers=1 ;;
	develop) wanted="$wanted $build $test $develop"; peers=1 ;;
	package) wanted="$wanted $build $package" ;;
	*) echo "deps: unknown purpose $purpose" >&2; exit 2 ;;
	esac
done

if ! command -v dpkg-query >/dev/null; then
	echo "deps: this is no Debian system; install the like of:" $wanted >&2
	exit 0
fi

installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p')
missing=
for p in $wanted; do
	case "
$installed
" in
	*"
$p
"*) ;;
	*) case " $missing " in *" $p "*) ;; *) missing="$missing $p" ;; esac ;;
	esac
done
[ -z "$peers" ] || ! "$here/mailpeers.sh" --check || peers=
[ -n "$missing$peers" ] || exit 0
[ -z "$check" ] || { echo "missing:$missing${peers:+ mail servers to test with}"; exit 1; }

if [ "$(id -u)" != 0 ]; then
	echo "Some Debian packages are missing. As root, type:" >&2
	[ -z "$missing" ] || echo "  apt-get update && apt-get install --no-install-recommends$missing" >&2
	[ -z "$peers" ] || echo "  $here/mailpeers.sh" >&2
	exit 1
fi
if [ -z "$missing" ]; then
	apt-get update -qq && exec "$here/mailpeers.sh"
	exit 1
fi

policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	trap 'rm -f "$policy"' EXIT
	trap 'exit 1' INT TERM
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi
echo "installing:$missing"
log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive
if apt-get update -qq >"$log" 2>&1 &&
	apt-get install -y -qq --no-install-recommends $missing >>"$log" 2>&1; then
	# package:service
	for peer in nsd:nsd knot:knot unbound:unbound bind9:named; do
		case " $missing " in *" ${peer%:*} "*) ;; *) continue ;; esac
		! command -v deb-systemd-helper >/dev/null || deb-systemd-helper disable "${peer#*:}.service" >/dev/null 2>&1
		! command -v update-rc.d >/dev/null || update-rc.d "${peer#*:}" disable >/dev/null 2>&1
	done
	rm -f "$log"
	[ -z "$peers" ] || "$here/mailpeers.sh"
	exit
fi
tail -n 15 "$log" >&2
echo "deps: apt-get failed; its output is in $log" >&2
exit 1
