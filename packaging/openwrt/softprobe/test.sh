#!/bin/sh
# SPDX-License-Identifier: ISC
# Run by the packages feed with the package's name and version: a capture file
# of one UDP datagram becomes one record.
set -e

capture()
{
	# The file's head: little-endian, microseconds, Ethernet.
	printf '\324\303\262\241\2\0\4\0\0\0\0\0\0\0\0\0\0\0\1\0\1\0\0\0'
	# 42 octets at 2001-09-09 01:46:40.
	printf '\0\312\232\73\0\0\0\0\52\0\0\0\52\0\0\0'
	printf '\2\0\0\0\0\2\2\0\0\0\0\1\10\0'
	printf '\105\0\0\34\0\0\0\0\100\21\0\0\300\0\2\1\300\0\2\2'
	printf '\4\322\0\65\0\10\0\0'
}

case "$1" in
softprobe | softprobe-tls)
	[ "$(softprobe --version)" = "$2" ]
	[ "$(softprobectl --version)" = "$2" ]
	records=$(capture | softprobe --json --quiet -r -)
	echo "$records"
	[ "$(echo "$records" | grep -c '"destinationTransportPort":53,')" = 1 ]
	;;
esac
