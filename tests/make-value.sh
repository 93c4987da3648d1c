#!/bin/sh
# SPDX-License-Identifier: ISC
#
# make-value.sh - print what variables of the Makefile come to, so that no
# script has flags or file lists of its own: tests/make-value.sh NAME ...
#
# shellcheck disable=SC2016 # make expands them
set -eu
cd "$(dirname "$0")/.."

{
	printf 'print-values:\n\t@echo'
	printf ' $(%s)' "$@"
	echo
} | ${MAKE:-make} -s -f Makefile -f - print-values |
    grep -v ': \(Entering\|Leaving\) directory '
