#!/bin/sh
# SPDX-License-Identifier: ISC
#
# fuzz.sh - run the fuzz targets for a while each: tests/fuzz.sh [target ...]
#
# A target is tests/fuzz_NAME.c with an LLVMFuzzerTestOneInput; its seeds are
# in tests/fuzz/NAME, its words in tests/fuzz/NAME.dict, and the captures of
# tests/pcap serve whom octets of files or frames do.  Everything is built in
# build/fuzz with the address and undefined behaviour sanitizers.
#
# FUZZ_SECONDS is the time for each, FUZZ_JOBS how many run at once, FUZZ_OPT
# the optimisation, FUZZ_ENGINE who runs them: libfuzzer, afl (AFL++, in
# build/fuzz-afl), or, without clang and its runtime, blindly (fuzz_driver.c).
# Fails on a finding, which it leaves in the directory of the build.
set -eu
cd "$(dirname "$0")/.."

seconds=${FUZZ_SECONDS:-10}
engine=${FUZZ_ENGINE:-libfuzzer}
cc=${FUZZ_CC:-clang}
sanitize='-fsanitize=address,undefined -fno-sanitize-recover=all'
out=build/fuzz
jobs=${FUZZ_JOBS:-1}

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

# Comparisons are not traced: it makes most of the time, and words, seeds and
# the hooks of strcmp(3) and memcmp(3) lead as far in the same time.
guided='-fsanitize=fuzzer-no-link -fno-sanitize-coverage=trace-cmp'
main='-fsanitize=fuzzer -fno-sanitize-coverage=trace-cmp'
if [ "$engine" = afl ]; then
	cc=${FUZZ_CC:-afl-clang-fast}
	out=build/fuzz-afl
	guided=
	main=-fsanitize=fuzzer
	export AFL_QUIET=1 AFL_NO_UI=1 AFL_NO_AFFINITY=1 AFL_SKIP_CPUFREQ=1 \
	    AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_IGNORE_PROBLEMS=1
fi
mkdir -p "$out"
if ! can_fuzz; then
	if [ "$engine" = afl ]; then
		echo "fuzz: no afl-clang-fast (sh install-deps.sh fuzz)" >&2
		exit 1
	fi
	echo "fuzz: no clang with libFuzzer (sh install-deps.sh fuzz): blindly"
	engine=blind
	cc=${CC:-cc}
	guided=
	main=tests/fuzz_driver.c
fi

# Where the seeds of a target are, in words.
seeds_of()
{
	case $1 in
	capture | pcapfile)
		echo tests/pcap
		;;
	decode)
		echo "$out/seeds-decode"
		;;
	esac
	if [ -d "tests/fuzz/$1" ]; then
		echo "tests/fuzz/$1"
	fi
}

# The most octets of an input that are of use to a target.
longest_of()
{
	case $1 in
	fields) echo 64 ;;
	flowtrack) echo 256 ;;
	control) echo 128 ;;
	conffile | config | endpoint | export) echo 1024 ;;
	*) echo 2048 ;;
	esac
}

# What is freed is kept back, but not until all memory has been touched.
run_libfuzzer()
{
	# shellcheck disable=SC2046 # lists of words
	ASAN_OPTIONS=quarantine_size_mb=1:malloc_context_size=3 \
	    "$out/$1" -max_total_time="$seconds" -timeout=10 \
	    -rss_limit_mb=2048 -max_len="$(longest_of "$1")" \
	    -print_final_stats=1 -artifact_prefix="$out/$1-" $(words_of "-dict=" "$1") \
	    "$out/corpus-$1" $(seeds_of "$1") >"$out/$1.log" 2>&1
}

run_afl()
{
	rm -rf "$out/seeds-$1.all" "$out/found-$1"
	mkdir -p "$out/seeds-$1.all"
	for dir in $(seeds_of "$1"); do
		find "$dir" -type f -size -"$(($(longest_of "$1") / 512 + 1))" \
		    -exec cp -f '{}' "$out/seeds-$1.all/" ';'
	done
	# shellcheck disable=SC2046 # lists of words
	afl-fuzz -V "$seconds" -m none -t 10000 -i "$out/seeds-$1.all" \
	    -o "$out/found-$1" $(words_of "-x " "$1") -- "$out/$1" \
	    >"$out/$1.log" 2>&1
	sed -n 's/^execs_done *: */stat::number_of_executed_units: /p' \
	    "$out/found-$1/default/fuzzer_stats" >>"$out/$1.log"
	[ -z "$(find "$out/found-$1/default/crashes" -name 'id:*')" ]
}

# The option $1 with the dictionary of a target, if it has one.
words_of()
{
	if [ -f "tests/fuzz/$2.dict" ]; then
		echo "$1tests/fuzz/$2.dict"
	fi
}

run()
{
	mkdir -p "$out/corpus-$1"
	case $engine in
	afl) run_afl "$1" ;;
	*) run_libfuzzer "$1" ;;
	esac
}

# Build what one target is, run it, and say what came out.
work()
{
	# shellcheck disable=SC2086 # lists of words
	$cc $flags $main $wrap -o "$out/$1" "tests/fuzz_$1.c" \
	    tests/fuzz_heap.c "$out"/*.o $libs
	if run "$1"; then
		echo "fuzz: $1: $(sed -n \
		    's/^stat::number_of_executed_units: *//p' \
		    "$out/$1.log") executions, no finding"
	else
		tail -n 40 "$out/$1.log"
		echo "fuzz: $1: FINDING, see $out/$1-*"
		return 1
	fi
}

flags="$(tests/make-value.sh OWN_CFLAGS OWN_CPPFLAGS) -U_FORTIFY_SOURCE -I."
flags="$flags ${FUZZ_OPT:--O2} -g -fno-omit-frame-pointer $sanitize"
libs=$(tests/make-value.sh ALL_LIBS)
wrap=-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free
sources=$(tests/make-value.sh OBJS | sed 's/\.o\>/.c/g')
if [ $# -eq 0 ]; then
	# shellcheck disable=SC2046 # a list of words
	set -- $(tests/make-value.sh FUZZERS)
fi
rm -f "$out"/*.o
# shellcheck disable=SC2086 # lists of words
printf '%s\n' $sources | xargs -P 2 -I '{}' \
    "$cc" $flags $guided -c -o "$out/{}.o" '{}'
if command -v python3 >/dev/null; then
	python3 tests/fuzz_seeds.py "$out/seeds-decode"
else
	mkdir -p "$out/seeds-decode"
fi

status=0
running=
count=0
for target; do
	target=${target%.c}
	work "${target##*/fuzz_}" &
	running="$running $!"
	count=$((count + 1))
	if [ $((count % jobs)) -eq 0 ]; then
		for pid in $running; do
			wait "$pid" || status=1
		done
		running=
	fi
done
for pid in $running; do
	wait "$pid" || status=1
done
exit $status
