#!/bin/sh
# SPDX-License-Identifier: ISC
#
# lint.sh - format, static analysis and manners of every file; no findings.
#
# A tool that is missing is skipped and said loudly; `sh install-deps.sh lint`
# installs them all.  Changes nothing.
#
# shellcheck disable=SC2317 # check() calls the functions
set -u
cd "$(dirname "$0")/.." || exit 1

failed=0
skipped=

# Whether a tool is there.
has()
{
	if command -v "$1" >/dev/null; then
		return 0
	fi
	echo "lint: SKIPPED, there is no $1" >&2
	skipped="$skipped $1"
	return 1
}

# Run one check and say how it went; its output only if it failed.
check()
{
	what=$1
	shift
	if output=$("$@" 2>&1); then
		echo "lint: $what: ok"
	else
		printf '%s\n' "$output"
		echo "lint: $what: FAILED"
		failed=1
	fi
}

files()
{
	find . -path ./build -prune -o -path ./.git -prune -o \
	    -path ./tests/pcap -prune -o "$@" -type f -print | sort
}

clang_format()
{
	files -name '*.[ch]' | xargs clang-format --dry-run -Werror
}

# Functions of more than 60 lines are among what it finds; see .clang-tidy.
clang_tidy()
{
	flags="$(tests/make-value.sh OWN_CFLAGS OWN_CPPFLAGS CHECK_CFLAGS \
	    FIXBUF_CFLAGS) -I."
	# shellcheck disable=SC2086 # a list of words
	files -name '*.c' | xargs -P 2 -I '{}' \
	    clang-tidy --quiet '{}' -- $flags -Wno-unused-command-line-argument
}

# libcheck's macros are told apart, since its headers are not read.  NULL is a
# pointer in POSIX, so it may end a list of arguments.
cpp_check()
{
	files -name '*.c' | xargs cppcheck --quiet --std=c11 --inline-suppr \
	    --enable=warning,performance,portability --error-exitcode=1 \
	    --suppress=missingIncludeSystem --suppress=varFuncNullUB \
	    -I. -DVERSION='""' -DRUNSTATEDIR='""' \
	    '-DSTART_TEST(x)=static void x(int _i) {' '-DEND_TEST=}'
}

python_compiles()
{
	{
		files -name '*.py'
		echo tests/run
	} | xargs python3 -c '
import ast, sys
for name in sys.argv[1:]:
	ast.parse(open(name, encoding="utf-8").read(), name)'
}

shell_scripts()
{
	files -name '*.sh' | xargs shellcheck && shellcheck .ci/run \
	    packaging/bash-completion packaging/debian/tests/replay \
	    packaging/debian/tests/service \
	    packaging/openwrt/softprobe/files/softprobe.init \
	    packaging/alpine/APKBUILD packaging/alpine/softprobe.pre-install \
	    packaging/container/fill packaging/openrc/softprobe.initd
}

man_pages()
{
	mandoc -Tlint -Wwarning man/*.[1-9]
}

# Code, scripts and pages; not data, nor what is made for one line.
licences()
{
	files \( -name '*.[ch]' -o -name '*.sh' -o -name '*.py' -o -name '*.md' \
	    -o -name '*.[1-9]' -o -name Makefile -o -path './.ci/run' \
	    -o -path './*/run' -o -name '.clang-*' \) |
	while read -r name; do
		if ! head -n 5 "$name" | grep -q 'SPDX-License-Identifier: '; then
			echo "$name: no SPDX line"
			echo bad
		fi
	done | grep . && return 1
	return 0
}

has clang-format && check "clang-format" clang_format
has clang-tidy && check "clang-tidy" clang_tidy
has cppcheck && check "cppcheck" cpp_check
has python3 && check "python" python_compiles
has shellcheck && check "shellcheck" shell_scripts
has mandoc && check "mandoc" man_pages
check "SPDX lines" licences

if [ -n "$skipped" ]; then
	echo "lint: SKIPPED:$skipped (sh install-deps.sh lint)" >&2
fi
exit "$failed"
