#!/bin/sh
# SPDX-License-Identifier: ISC
#
# valgrind.sh - the unit tests, and end-to-end tests of replays, live runs and
# control, with each program under memcheck: no error, no leak.
#
# It puts a script in the place of each program: for a tree of its own, see
# `make valgrind`.
set -eu
cd "$(dirname "$0")/.."

units=
for source in tests/test_*.c; do
	units="$units ${source%.c}"
done
for program in softprobe softprobectl $units; do
	mv "$program" "$program.bin"
	cat >"$program" <<'EOF'
#!/bin/sh
exec valgrind --quiet --leak-check=full --error-exitcode=99 \
    --errors-for-leak-kinds=definite,indirect,possible "$0.bin" "$@"
EOF
	chmod +x "$program"
done
export CK_TIMEOUT_MULTIPLIER=20 UNDER_VALGRIND=1 TEST_SECONDS=3600
# shellcheck disable=SC2086 # a list of words
exec tests/run $units "$@"
