#!/bin/sh
# SPDX-License-Identifier: ISC
#
# cross.sh - build for other machines and test there: tests/cross.sh [arch ...]
#
# Builds softprobe, softprobectl and the unit tests with a cross compiler and
# the distribution's libraries for that machine (mips: musl and libraries from
# source; musl: the same on this machine), then runs the unit tests and
# cross_replay.py in qemu's user mode.
# A name in CROSS_TESTS, such as e2e_wire or e2e_replay, is run there too;
# CROSS_UNITS names the unit tests, if not all.  NATIVE is a directory with a
# native softprobe to compare with, if none is to be built.
#
# What cannot be had is skipped and said loudly.  Downloads stay in
# build/cross until `make clean`; nothing is installed on this machine, that
# is for `sh install-deps.sh cross`.  Live capture is not tested: the
# emulator has not all of its system calls.
set -u
cd "$(dirname "$0")/.." || exit 1

top=$PWD/build/cross
native=${NATIVE:-$top/native}
jobs=${JOBS:-2}
passed=0
failed=0
skipped=0

# Sets what an architecture is: its compiler, its emulator, its libraries.
describe()
{
	emulator=qemu-$arch
	from=packages
	case $arch in
	s390x) triplet=s390x-linux-gnu ;;   # big-endian
	armhf) triplet=arm-linux-gnueabihf emulator=qemu-arm ;; # 32-bit
	i386) triplet=i686-linux-gnu ;;     # 32-bit, 64-bit types aligned to 4
	mips) triplet=mips-linux-gnu from=source ;; # big-endian, 32-bit, musl
	arm64) triplet=aarch64-linux-gnu emulator=qemu-aarch64 ;;
	armel) triplet=arm-linux-gnueabi emulator=qemu-arm ;;
	mipsel) triplet=mipsel-linux-gnu ;;
	mips64el) triplet=mips64el-linux-gnuabi64 ;;
	ppc64el) triplet=powerpc64le-linux-gnu emulator=qemu-ppc64le ;;
	musl) triplet=$(gcc -dumpmachine) from=source emulator=env ;; # this one
	*) return 1 ;;
	esac
	dir=$top/$arch
	root=$dir/root
	tree=$dir/tree
	runs="$emulator -L $root"
	[ "$emulator" != env ] || runs=$emulator
}

# The address of this release's archive, from apt's own configuration.
archive()
{
	# shellcheck disable=SC2016 # apt-get fills it in
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
	    'Label: Debian' "Codename: $codename" 2>/dev/null | head -n 1
}

# apt-get with lists and packages of its own, apart from this machine's.
apt()
{
	timeout 300 apt-get -qq -y -o Dir::Etc::SourceList="$dir/apt/list" \
	    -o Dir::Etc::SourceParts=/dev/null -o Debug::NoLocking=1 \
	    -o Dir::State::Lists="$dir/apt/lists" \
	    -o Dir::State::status=/dev/null -o Dir::Cache="$dir/apt" \
	    -o Dir::Cache::archives="$dir/apt/archives" \
	    -o APT::Update::Error-Mode=any -o APT::Sandbox::User=root "$@"
}

# Both fetch into $dir/apt; no more than this is asked of the network.
fetch_packages()
{
	echo "deb [arch=$arch] $1 $codename main" >"$dir/apt/list"
	set -- -o APT::Architecture="$arch" -o APT::Architectures="$arch"
	apt "$@" update && apt "$@" install --download-only \
	    --no-install-recommends libc6-dev libpcap-dev libbsd-dev \
	    zlib1g-dev libssl-dev libseccomp-dev check
}

fetch_source()
{
	echo "deb-src $1 $codename main" >"$dir/apt/list"
	apt update && (cd "$dir/apt/archives" &&
	    apt source --download-only musl libpcap libmd libbsd check)
}

fetch()
{
	rm -rf "$dir/apt" "$root"
	mkdir -p "$dir/apt/lists/partial" "$dir/apt/archives/partial"
	codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	uri=$(archive)
	if [ -z "$uri" ]; then
		echo "apt-get knows no archive of Debian ${codename:-so far}"
		return 1
	fi
	"fetch_$from" "$uri" || return 1
	rm -rf "$dir/apt/lists"
	: >"$dir/apt/complete"
}

# What was fetched becomes a root with libraries and headers.
unpack_packages()
{
	for package in "$dir"/apt/archives/*.deb; do
		dpkg-deb -x "$package" "$root" || return 1
	done
}

unpack_source()
{
	rm -rf "$dir/src"
	mkdir -p "$dir/src" && cd "$dir/src" || return 1
	for package in "$dir"/apt/archives/*.dsc; do
		dpkg-source --no-check -x "$package" || return 1
	done
	cd "$OLDPWD" && tests/cross-musl.sh "$triplet" "$dir/src" "$root"
}

unpack()
{
	rm -rf "$root"
	mkdir -p "$root"
	"unpack_$from" && : >"$root/complete"
}

# Sets how to compile for that root; the Makefile takes it from there.
toolchain()
{
	if [ "$from" = source ]; then
		export REALGCC="$triplet-gcc"
		compiler="$root/bin/musl-gcc"
		set -- "$root/lib/pkgconfig" /
	else
		compiler="$triplet-gcc --sysroot=$root"
		libraries=$root/usr/lib/$("$triplet-gcc" -print-multiarch)
		set -- "$libraries/pkgconfig:$root/usr/share/pkgconfig" \
		    "$root"
	fi
	cat >"$dir/pkg-config" <<-EOF
	#!/bin/sh
	export PKG_CONFIG_LIBDIR=$1 PKG_CONFIG_SYSROOT_DIR=$2
	exec pkg-config "\$@"
	EOF
	chmod +x "$dir/pkg-config"
	echo "$compiler" >"$dir/compiler" # for sizes.sh
}

# Whether a program of that toolchain runs here at all.
is_runnable()
{
	echo 'int main(void) { return 42; }' >"$dir/try.c"
	$compiler -o "$dir/try" "$dir/try.c" || return 1
	$runs "$dir/try"
	[ $? -eq 42 ]
}

# Why this architecture cannot be tested; prints nothing if it can.
obstacle()
{
	for tool in "$triplet-gcc" "$triplet-ar" "$emulator" pkg-config python3
	do
		if ! command -v "$tool" >/dev/null; then
			echo "there is no $tool (sh install-deps.sh cross)"
			return
		fi
	done
	mkdir -p "$dir"
	if ! command -v apt-get >/dev/null; then
		echo "only apt-get is known as a source of libraries"
	elif [ ! -e "$dir/apt/complete" ] && ! fetch >"$dir/fetch.log" 2>&1; then
		echo "its libraries cannot be had (${dir#"$PWD"/}/fetch.log)"
	elif [ ! -e "$root/complete" ] && ! unpack >"$dir/unpack.log" 2>&1; then
		echo "its libraries do not build (${dir#"$PWD"/}/unpack.log)"
	elif ! { toolchain && is_runnable; } >"$dir/try.log" 2>&1; then
		echo "its programs do not run here (${dir#"$PWD"/}/try.log)"
	fi
}

# A copy of the sources, so that no object is of two machines.
copy_tree()
{
	rm -rf "$1"
	mkdir -p "$1"
	cp -R ./*.c ./*.h Makefile VERSION tests "$1"/
	(cd "$1" && ${MAKE:-make} clean >/dev/null)
}

# Each program moves to foreign/ and leaves a script that emulates it.
emulate()
{
	for program in softprobe softprobectl tests/test_*.c; do
		program=${program%.c}
		[ -e "$program" ] || continue # not in CROSS_UNITS
		mkdir -p "foreign/$(dirname "$program")"
		mv "$program" "foreign/$program" || return 1
		cat >"$program" <<-EOF
		#!/bin/sh
		exec $runs $tree/foreign/$program "\$@"
		EOF
		chmod +x "$program"
	done
}

# The unit tests that are wanted, one a line.
units()
{
	if [ -n "${CROSS_UNITS:-}" ]; then
		echo "$CROSS_UNITS" | tr ' ' '\n'
	else
		(cd tests && ls test_*.c) | sed 's/\.c$//'
	fi
}

build()
{
	copy_tree "$tree" && cd "$tree" || return 1
	# shellcheck disable=SC2046 # a list of words
	${MAKE:-make} -s -j "$jobs" CC="$compiler" AR="$triplet-ar" \
	    PKG_CONFIG="$dir/pkg-config" all $(units | sed 's|^|tests/|') &&
	    emulate
}

# The tests of one tree; its last line is the counts.
run_tests()
{
	cd "$tree" || return 1
	# shellcheck disable=SC2046,SC2086 # lists of words
	NATIVE=$native JOBS=$jobs tests/run cross_replay $(units) \
	    ${CROSS_TESTS:-}
}

# One architecture, from nothing to one line; adds to the counts.
test_arch()
{
	reason=$(obstacle)
	if [ -n "$reason" ]; then
		echo "cross $arch: SKIPPED, $reason"
		skipped=$((skipped + 1))
		return
	fi
	toolchain
	if ! (build) >"$dir/build.log" 2>&1 ||
	    grep -q '\.[ch]:.*warning:' "$dir/build.log"; then
		tail -n 40 "$dir/build.log"
		counts='0 passed, 1 failed'
	else
		(run_tests) >"$dir/test.log" 2>&1
		counts=$(tail -n 1 "$dir/test.log")
		grep -E '^    | [1-9][0-9]* failed .* s' "$dir/test.log"
	fi
	case $counts in
	*' passed, '*' failed'*) ;;
	*) counts='0 passed, 1 failed' ;;
	esac
	echo "cross $arch: $counts"
	add_up "$counts"
}

# "N passed, N failed[, N skipped]"
add_up()
{
	# shellcheck disable=SC2046 # a list of words
	set -- $(echo "$1" | tr -d ,)
	passed=$((passed + $1))
	failed=$((failed + $3))
	skipped=$((skipped + ${5:-0}))
}

if [ $# -eq 0 ]; then
	set -- s390x armhf i386 mips
fi
for arch; do
	if ! describe; then
		echo "cross.sh: $arch: give s390x, armhf, i386, mips, arm64," \
		    "armel, mipsel, mips64el, ppc64el or musl" >&2
		exit 2
	fi
done
mkdir -p "$top"
if [ -z "${NATIVE:-}" ] && ! { copy_tree "$native" && (cd "$native" &&
    ${MAKE:-make} -j "$jobs" softprobe); } >"$top/native.log" 2>&1; then
	tail -n 20 "$top/native.log"
	echo "cross: there is no native softprobe to compare with: FAILED"
	exit 1
fi
for arch; do
	describe
	test_arch
done
if [ "$skipped" -gt 0 ]; then
	echo "$passed passed, $failed failed, $skipped skipped"
else
	echo "$passed passed, $failed failed"
fi
[ "$failed" -eq 0 ]
