#!/bin/sh
# SPDX-License-Identifier: ISC
#
# fuzz.sh - run the fuzz targets for a while each: tests/fuzz.sh [target ...]
#
# A target is tests/fuzz_NAME.c with an LLVMFuzzerTestOneInput; its seeds are
# in tests/fuzz/NAME, and the captures of tests/pcap serve all.  Everything is
# built in build/fuzz with the address and undefined behaviour sanitizers.
# FUZZ_SECONDS is the time for each.  Fails on a finding, which it leaves in
# build/fuzz.  Without clang and its runtime the targets run blindly, by
# tests/fuzz_driver.c and $CC.
set -eu
cd "$(dirname "$0")/.."

seconds=${FUZZ_SECONDS:-10}
cc=${FUZZ_CC:-clang}
out=build/fuzz
sanitize='-fsanitize=address,undefined -fno-sanitize-recover=all'

can_fuzz()
{
	command -v "$cc" >/dev/null || return 1
	echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n);
	int LLVMFuzzerTestOneInput(const char *d, unsigned long n)
	{ return d == 0 && n != 0; }' >"$out/try.c"
	# shellcheck disable=SC2086 # lists of words
	$cc -fsanitize=fuzzer $sanitize -o "$out/try" "$out/try.c" \
	    >/dev/null 2>&1
}

mkdir -p "$out"
guided=-fsanitize=fuzzer-no-link
main=-fsanitize=fuzzer
if ! can_fuzz; then
	echo "fuzz: no clang with libFuzzer (sh install-deps.sh fuzz): blindly"
	cc=${CC:-cc}
	guided=
	main=tests/fuzz_driver.c
fi

flags="$(tests/make-value.sh OWN_CFLAGS OWN_CPPFLAGS) -U_FORTIFY_SOURCE -I."
flags="$flags -O1 -g -fno-omit-frame-pointer $sanitize"
libs=$(tests/make-value.sh ALL_LIBS)
sources=$(tests/make-value.sh OBJS | sed 's/\.o\>/.c/g')
rm -f "$out"/*.o
# shellcheck disable=SC2086 # lists of words
printf '%s\n' $sources | xargs -P 2 -I '{}' \
    "$cc" $flags $guided -c -o "$out/{}.o" '{}'

if [ $# -eq 0 ]; then
	# shellcheck disable=SC2046 # a list of words
	set -- $(tests/make-value.sh FUZZERS)
fi
status=0
for target; do
	target=${target%.c}
	name=${target##*/fuzz_}
	# shellcheck disable=SC2086 # lists of words
	$cc $flags $main -o "$out/$name" "$target.c" \
	    "$out"/*.o $libs
	seeds=tests/pcap
	if [ -d "tests/fuzz/$name" ]; then
		seeds="$seeds tests/fuzz/$name"
	fi
	mkdir -p "$out/corpus-$name"
	# shellcheck disable=SC2086 # lists of words
	if "$out/$name" -max_total_time="$seconds" -timeout=10 \
	    -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
	    -artifact_prefix="$out/$name-" "$out/corpus-$name" $seeds \
	    >"$out/$name.log" 2>&1; then
		echo "fuzz: $name: $(sed -n \
		    's/^stat::number_of_executed_units: *//p' \
		    "$out/$name.log") executions, no finding"
	else
		tail -n 40 "$out/$name.log"
		echo "fuzz: $name: FINDING, see $out/$name-*"
		status=1
	fi
done
exit $status
