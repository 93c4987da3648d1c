#!/bin/sh
# SPDX-License-Identifier: ISC
#
# sizes.sh - how large softprobe is, as a table: this machine, and those that
# `make cross` has been on.  Built for size, linked dynamically, stripped; plain
# is without optional libraries, full with those that are there.
set -eu
cd "$(dirname "$0")/.."

tree=build/sizes
small='-Os -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables'
link='-Wl,-z,relro,-z,now -Wl,--gc-sections -Wl,--as-needed'
plain='ZLIB= OPENSSL= SECCOMP= MNL= MICROHTTPD='

octets()
{
	wc -c <"$1" | tr -d ' '
}

# row NAME COMPILER PREFIX PKG_CONFIG
row()
{
	printf '| %s |' "$1"
	for variant in "$plain" ''; do
		rm -rf "$tree"
		mkdir -p "$tree/tests"
		cp ./*.c ./*.h Makefile VERSION "$tree/"
		# shellcheck disable=SC2086 # words
		make -s -C "$tree" -j "${JOBS:-2}" CC="$2" AR="$3ar" \
		    PKG_CONFIG="$4" CFLAGS="$small" LDFLAGS="$link" \
		    $variant all >"$tree/log" 2>&1
		"$3strip" "$tree/softprobe" "$tree/softprobectl"
		printf ' %s | %s |' "$(octets "$tree/softprobe")" \
		    "$(octets "$tree/softprobectl")"
	done
	echo
}

mkdir -p build
echo '| machine | softprobe, plain | softprobectl | softprobe, full | softprobectl |'
echo '|---|---|---|---|---|'
row "$(uname -m)" cc '' pkg-config
for compiler in build/cross/*/compiler; do
	[ -e "$compiler" ] || continue
	arch=${compiler%/compiler}
	cc=$(cat "$compiler")
	triplet=${cc%% *}
	if [ "${triplet##*/}" = musl-gcc ]; then # a wrapper of it
		triplet=$(sed -n 's/.*REALGCC:-\([^}]*\)}.*/\1/p' "$triplet")
		export REALGCC="$triplet"
	fi
	row "${arch##*/}" "$cc" "${triplet%gcc}" "$PWD/$arch/pkg-config"
done
