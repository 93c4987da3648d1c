#!/bin/sh
# SPDX-License-Identifier: ISC
#
# cross-musl.sh - musl, libpcap, libbsd and libcheck from source, for a machine
# that the distribution has a compiler for but no libraries:
#
#	tests/cross-musl.sh mips-linux-gnu SOURCES ROOT
#
# SOURCES holds the unpacked source packages, ROOT (absolute) becomes what
# ROOT/bin/musl-gcc compiles and links with.  Fetches nothing; `cross.sh` does.
set -eu

triplet=$1
root=$3
jobs=${JOBS:-2}
cd "$2"

# One make for all: those of `make cross` are not meant for these.
build()
{
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -j "$jobs" "$@"
}

musl()
{
	cd musl-*/
	CC=$triplet-gcc AR=$triplet-ar RANLIB=$triplet-ranlib ./configure \
	    --host="$triplet" --prefix="$root" --syslibdir="$root/lib" \
	    --enable-wrapper=gcc CFLAGS=-Os
	build
	build install
	# What the kernel says is no part of a C library.
	for headers in linux asm asm-generic; do
		for at in /usr/include "/usr/include/$triplet" \
		    "/usr/$triplet/include"; do
			[ ! -d "$at/$headers" ] ||
			    ln -sfn "$at/$headers" "$root/include/$headers"
		done
	done
}

# Debian's makefile cannot build its shared library without installing, so
# that is made of the static one.
libpcap()
{
	cd libpcap-*/
	./configure --host="$triplet" --prefix="$root" --disable-shared \
	    --with-pcap=linux --disable-usb --disable-dbus \
	    --disable-bluetooth --disable-rdma --without-libnl
	build libpcap.a libpcap.pc
	$CC -shared -Wl,-soname,libpcap.so -Wl,--whole-archive libpcap.a \
	    -Wl,--no-whole-archive -o "$root/lib/libpcap.so"
	cp -R pcap pcap*.h "$root/include/"
	mkdir -p "$root/lib/pkgconfig"
	cp libpcap.pc "$root/lib/pkgconfig/"
}

autotools()
{
	cd "$1"-*/
	shift
	# The clocks of old makefiles: nothing here is to be made anew.
	find . -name aclocal.m4 -exec touch {} +
	find . -name configure -exec touch {} +
	find . \( -name Makefile.in -o -name 'config*.in' \) -exec touch {} +
	./configure --host="$triplet" --prefix="$root" --disable-subunit \
	    ac_cv_func_malloc_0_nonnull=yes ac_cv_func_realloc_0_nonnull=yes
	build "$@"
	build "$@" install
}

rm -rf "$root"
mkdir -p "$root"
(musl)
export REALGCC="$triplet-gcc" CC="$root/bin/musl-gcc"
export AR="$triplet-ar" RANLIB="$triplet-ranlib" CFLAGS='-Os -fPIC'
export PKG_CONFIG_LIBDIR="$root/lib/pkgconfig"
(libpcap)
(autotools libmd)
(autotools libbsd)
# Its tests and manual are not needed; lib is what the C library may lack.
(autotools check SUBDIRS='lib src .')
# Debian's check.pc names a second, position-independent copy.
ln -sf libcheck.a "$root/lib/libcheck_pic.a"
