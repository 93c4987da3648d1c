#!/bin/sh
# SPDX-License-Identifier: ISC
#
# install-deps.sh - install what softprobe needs, on Debian and its children.
#
#	sh install-deps.sh          to build
#	sh install-deps.sh test     to build and to run all tests
#	sh install-deps.sh lint     ... and the checks of `make lint`
#	sh install-deps.sh fuzz     ... and the fuzz targets of `make fuzz`
#	sh install-deps.sh cross    ... and the foreign machines of `make cross`
#	sh install-deps.sh deb      ... and a Debian package by `make deb`
#	sh install-deps.sh interop  ... and what tests/interop-install.sh needs
#
# Asks nothing, installs nothing that is there, adds no package source.
# Elsewhere it prints what is needed and leaves with 1.
set -eu

build='gcc libc6-dev make pkg-config libpcap-dev libbsd-dev zlib1g-dev'
tests='busybox check conntrack ethtool gcc-s390x-linux-gnu iproute2
    iputils-ping libfixbuf-dev libfixbuf-tools libmicrohttpd-dev libmnl-dev
    libseccomp-dev libssl-dev mount nfdump nftables openssl pmacct procps
    prometheus python3 qemu-user tcpreplay tmux tshark util-linux zsh'
checkers='clang-format clang-tidy cppcheck mandoc shellcheck valgrind'
clang='afl++ clang libclang-rt-dev' # the last has another name, see below
emulated='gcc-s390x-linux-gnu gcc-arm-linux-gnueabihf gcc-i686-linux-gnu
    gcc-mips-linux-gnu linux-libc-dev-mips-cross qemu-user python3
    bison dpkg-dev flex patch xz-utils' # the last line for building libraries
collectors='default-jre-headless golang-go kcat maven socat'
debian='build-essential check debhelper git libmicrohttpd-dev libmnl-dev
    libseccomp-dev libssl-dev lintian python3 xz-utils'

case ${1:-build} in
build) wanted=$build ;;
test) wanted="$build $tests" ;;
lint) wanted="$build $tests $checkers" ;;
fuzz) wanted="$build $clang" ;;
cross) wanted="$build $emulated" ;;
deb) wanted="$build $debian" ;;
interop) wanted="$build $tests $collectors" ;;
*)
	echo "install-deps.sh: $1: give build, test, lint, fuzz, cross, deb or" \
	    "interop" >&2
	exit 2
	;;
esac

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
	echo "install-deps.sh knows apt-get only; here install what gives:" >&2
	echo "  $wanted" >&2
	exit 1
fi

is_installed()
{
	dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null |
	    grep -q '^.i'
}

# Names that differ from release to release, by the release's own version.
clang_runtime()
{
	major=$(apt-cache depends clang 2>/dev/null |
	    sed -n 's/.*Depends: clang-\([0-9][0-9]*\)$/\1/p' | head -n 1)
	if apt-cache show "libclang-rt-$major-dev" >/dev/null 2>&1; then
		echo "libclang-rt-$major-dev"
	else
		echo "libclang-common-$major-dev" # it holds the runtime
	fi
}

missing()
{
	for package in $wanted; do
		if [ "$package" = libclang-rt-dev ]; then
			package=$(clang_runtime)
		fi
		is_installed "$package" || printf '%s ' "$package"
	done
}

as_root()
{
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	elif command -v doas >/dev/null; then
		doas "$@"
	else
		echo "install-deps.sh: run as root, or install sudo" >&2
		exit 1
	fi
}

# Mirrors fail now and then: twice more before giving up.
apt()
{
	for pause in 2 10 0; do
		if as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
		    "$@" </dev/null; then
			return 0
		fi
		sleep "$pause"
	done
	echo "install-deps.sh: apt-get $1 failed three times" >&2
	exit 1
}

if [ -z "$(missing)" ]; then
	exit 0
fi
apt update
# Only now are the names of this release known.
# shellcheck disable=SC2046 # a list of words
apt install --no-install-recommends $(missing)
