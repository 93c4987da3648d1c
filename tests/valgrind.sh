#!/bin/sh
# SPDX-License-Identifier: ISC
#
# valgrind.sh - the unit tests, and some end-to-end tests of replays, live runs
# and control, with each program under memcheck: no error, no leak.
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
failed=0
# shellcheck disable=SC2086 # a list of words
tests/run $units || failed=1

# Not those that measure time.
end_to_end()
{
	echo "$*"
	name=$1
	shift
	python3 "tests/$name" "$@" || failed=1
}
end_to_end e2e_replay.py real_captures bad_command_lines
end_to_end e2e_live.py single_packet_is_metered_at_once \
    signals_export_everything interface_deleted_and_recreated \
    collector_that_comes_back
end_to_end e2e_control.py what_is_shown timeouts_change flows_end_by_command \
    gathering debug_and_templates leaving mistakes live_templates
exit $failed
