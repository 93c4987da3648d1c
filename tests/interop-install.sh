#!/bin/sh
# SPDX-License-Identifier: ISC
#
# interop-install.sh - fetch the collectors of `make check-interop` that Debian
# does not have.
#
#	sh install-deps.sh interop && sh tests/interop-install.sh [DIR]
#
# Into DIR, else $INTEROP, else build/interop: GoFlow2 by the Go client, and
# Apache Kafka by Maven, each only if it is not there yet.  The tests look into
# $INTEROP or build/interop and fetch nothing.
#
# shellcheck disable=SC2317 # fetch() calls the functions
set -eu
cd "$(dirname "$0")/.."
mkdir -p "${1:-${INTEROP:-build/interop}}"
dir=$(cd "${1:-${INTEROP:-build/interop}}" && pwd)
failed=0

# It is written for a Go that is newer than that of some releases; a Go since
# 1.21 fetches the one it needs.
goflow2()
{
	GOBIN="$dir/bin" \
	    go install github.com/netsampler/goflow2/v2/cmd/goflow2@v2.2.6
}

# The broker and all it depends on, of which it needs no more than to be run.
kafka()
{
	cat >"$dir/pom.xml" <<-'POM'
	<project xmlns="http://maven.apache.org/POM/4.0.0">
	  <modelVersion>4.0.0</modelVersion>
	  <groupId>softprobe</groupId>
	  <artifactId>interop</artifactId>
	  <version>1</version>
	  <dependencies>
	    <dependency>
	      <groupId>org.apache.kafka</groupId>
	      <artifactId>kafka_2.13</artifactId>
	      <version>3.9.1</version>
	    </dependency>
	    <dependency>
	      <groupId>org.slf4j</groupId>
	      <artifactId>slf4j-simple</artifactId>
	      <version>1.7.36</version>
	    </dependency>
	  </dependencies>
	</project>
	POM
	mvn -q -B -f "$dir/pom.xml" dependency:copy-dependencies \
	    -DincludeScope=runtime -DoutputDirectory="$dir/kafka"
}

# fetch NAME FILE: run NAME unless FILE is there, and say how it went.
fetch()
{
	if [ -e "$2" ]; then
		echo "$1: there"
	elif "$1" && [ -e "$2" ]; then
		echo "$1: installed"
	else
		echo "$1: not installed, so its tests will be skipped" >&2
		failed=1
	fi
}

fetch goflow2 "$dir/bin/goflow2"
fetch kafka "$dir/kafka/kafka_2.13-3.9.1.jar"
exit "$failed"
